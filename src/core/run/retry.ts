import type { StepPolicy } from '../flow/graph.ts'

/** How long to wait before attempt `next` (2 for the first repetition): doubled each time up to the longest, plus up to 10 % so that many do not come back at once. */
function retryDelay(policy: StepPolicy, next: number, fraction: number): number {
  const doubled = policy.retry_delay_ms * 2 ** Math.min(next - 2, 30)
  return Math.round(Math.min(doubled, policy.retry_delay_max_ms) * (1 + fraction * 0.1))
}

/** What work is given where a graph says nothing: one attempt, the Kubernetes back-off, half a minute to end politely. */
const defaultPolicy: StepPolicy = { retries: 0, retry_delay_ms: 10_000, retry_delay_max_ms: 360_000, timeout_ms: null, grace_ms: 30_000 }

export { retryDelay, defaultPolicy }
