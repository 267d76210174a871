import type { Exchange } from './exchange.ts'

/**
 * What git prints, as the body of an answer: `prefix` first, then chunk by chunk as the consumer asks. Resolves once git has printed something or ended in
 * order, so that a git that fails at once is an error and not an empty answer. `settled` runs when the exchange is over, however it ended.
 */
async function streamed(exchange: Exchange, prefix: Buffer | null, settled: () => void): Promise<AsyncIterableIterator<Uint8Array>> {
  void exchange.exited.then(settled)
  const output = exchange.output
  const read = async (): Promise<Buffer | null> => {
    // A stream that was destroyed because git was ended is over, not broken.
    const next = await output.next().catch(() => ({ done: true as const, value: undefined }))
    exchange.touch()
    return next.done ? null : next.value
  }
  const first = await read()
  if (first === null) {
    const exit = await exchange.exited
    if (exit.code !== 0 || exchange.failure !== null) throw exchange.error(exit)
  }
  const ready = [prefix, first].filter((bytes) => bytes !== null)
  let finished = first === null
  const body: AsyncIterableIterator<Uint8Array> = {
    async next(): Promise<IteratorResult<Uint8Array>> {
      const waiting = ready.shift()
      if (waiting) return { done: false, value: waiting }
      const chunk = finished ? null : await read()
      if (chunk !== null) return { done: false, value: chunk }
      finished = true
      const exit = await exchange.exited
      // Git that gave up by itself has told the client why (an ERR packet); one that was ended has not, and a cut answer must not look whole.
      if (exchange.failure !== null || exit.code === null) throw exchange.error(exit)
      return { done: true, value: undefined }
    },
    async return() {
      finished = true
      ready.length = 0
      await exchange.stop(new Error('the answer is no longer wanted'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return body
    },
  }
  return body
}

export { streamed }
