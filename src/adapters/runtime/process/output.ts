import { watch } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Clock } from '../../../core/kernel/clock.ts'

type Follow = {
  readonly path: string
  readonly offset: number
  /** Nothing beyond this byte is given. */
  readonly limit: number
  /** Resolves when the file is complete. */
  readonly ended: Promise<unknown>
  readonly clock: Clock
  readonly signal: AbortSignal
}

// A change can be missed where the kernel's queue of changes overflows, so now and then we look without being told.
const safetyMs = 2_000

/** A growing file from an offset on, until it is complete and read to its end. */
async function* follow({ path, offset, limit, ended, clock, signal }: Follow): AsyncGenerator<Uint8Array> {
  let wake = Promise.withResolvers<void>()
  let complete = false
  const look = () => wake.resolve()
  await using file = await open(path, 'r')
  // Watched before the first read: what is written between a read and the watch would wait for the next change.
  const watcher = watch(path, { persistent: false }, look)
  watcher.on('error', look)
  const finish = () => {
    complete = true
    look()
  }
  ended.then(finish, finish)
  signal.addEventListener('abort', look)
  try {
    for (let at = offset; at < limit; ) {
      signal.throwIfAborted()
      const last = complete
      const chunk = Buffer.allocUnsafe(Math.min(65_536, limit - at))
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
      if (bytesRead > 0) {
        at += bytesRead
        yield chunk.subarray(0, bytesRead)
        continue
      }
      if (last) return
      const timer = clock.after(safetyMs, look)
      await wake.promise
      timer.cancel()
      wake = Promise.withResolvers<void>()
    }
    // All that is kept was given; its end is still to come.
    await Promise.race([ended, aborted(signal)])
  } finally {
    signal.removeEventListener('abort', look)
    watcher.close()
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

export type { Follow }
export { follow }
