import type { Fault } from '../core/kernel/fault.ts'

const whenUnsaidMs = 5000

/** After how many whole seconds a caller may come again: what `Retry-After` says. */
function retryAfter({ retryAfterMs }: Fault): number {
  return Math.max(1, Math.ceil((retryAfterMs ?? whenUnsaidMs) / 1000))
}

export { retryAfter }
