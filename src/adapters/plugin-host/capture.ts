import type { Readable } from 'node:stream'

type Captured = {
  /** All of it, up to the limit. */
  text(): string
  /** The last 64 KiB, however much it was. */
  tail(): string
  readonly over: boolean
}

const tailBytes = 64 * 1024

/** Collects what a process says. `onOver` is called once when it says more than the limit; the rest is thrown away. */
function capture(from: Readable, limit: number, onOver: () => void): Captured {
  const chunks: Buffer[] = []
  const last: Buffer[] = []
  const size = { all: 0, last: 0 }
  const state = { over: false }
  from.on('error', () => {})
  from.on('data', (chunk: Buffer) => {
    size.all += chunk.length
    size.last += chunk.length
    last.push(chunk)
    while (last[0] && size.last - last[0].length >= tailBytes) size.last -= last.shift()?.length ?? 0
    if (size.all <= limit) chunks.push(chunk)
    else if (!state.over) {
      state.over = true
      onOver()
    }
  })
  return {
    text: () => Buffer.concat(chunks).toString('utf8'),
    tail: () => Buffer.concat(last).subarray(-tailBytes).toString('utf8'),
    get over() {
      return state.over
    },
  }
}

export type { Captured }
export { capture }
