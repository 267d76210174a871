import { GitUnavailable } from '../../ports/git.ts'
import type { GitServeRequest, RefUpdate } from '../../ports/git.ts'
import type { PushHead } from './commands.ts'
import type { Exchange } from './exchange.ts'
import type { GitExit } from './process.ts'
import type { RefReader } from './refs.ts'
import { ReportHold } from './report.ts'

type PushParts = {
  readonly exchange: Exchange
  readonly head: PushHead
  readonly directory: string
  readonly refs: RefReader
  /** Values of the named refs before git got anything. */
  readonly before: ReadonlyMap<string, string | null>
  /** Syncs what changed, points HEAD, and so on: all that belongs to the push and precedes telling of it. */
  readonly finish: (changes: readonly RefUpdate[]) => Promise<void>
  readonly onChanged: GitServeRequest['onChanged']
  /** Runs when git has ended: its locks, if it was killed, go before anything else is done. */
  readonly ended: (exit: GitExit) => Promise<void>
  /** Runs when everything is over, however it ended. */
  readonly settled: () => void
}

/** The refs of a push as they are now. */
async function refValues(refs: RefReader, directory: string, commands: readonly RefUpdate[]): Promise<Map<string, string | null>> {
  const values = new Map<string, string | null>()
  for (const { ref } of commands) values.set(ref, await refs.read(directory, ref))
  return values
}

/**
 * The answer to a push. Git's output is read whether or not the client listens, and when git has ended the refs that really changed are told to
 * `onChanged`; only then the report goes out. So a push that took effect is recorded even when its client has left.
 */
async function answerPush(parts: PushParts): Promise<AsyncIterableIterator<Uint8Array>> {
  const sideBand = parts.head.capabilities.has('side-band-64k') || parts.head.capabilities.has('side-band')
  const hold = new ReportHold({ sideBand })
  let news = Promise.withResolvers<void>()
  let outcome: { readonly report: Buffer } | { readonly error: unknown } | null = null

  const whole = settle(parts, hold, () => news.resolve())
    .then(
      (report) => void (outcome = { report }),
      (error: unknown) => void (outcome = { error }),
    )
    .finally(() => news.resolve())

  // Either there is progress to show, or the push is over.
  const next = async (): Promise<Buffer | null> => {
    for (;;) {
      const progress = hold.takeProgress()
      if (progress !== null) return progress
      if (outcome !== null) {
        if ('error' in outcome) throw outcome.error
        const { report } = outcome
        outcome = { report: Buffer.alloc(0) }
        return report.length > 0 ? report : null
      }
      await news.promise
      if (outcome === null) news = Promise.withResolvers<void>()
    }
  }

  let first = await next()
  const body: AsyncIterableIterator<Uint8Array> = {
    async next(): Promise<IteratorResult<Uint8Array>> {
      const value = first ?? (await next())
      first = null
      return value === null ? { done: true, value: undefined } : { done: false, value }
    },
    async return() {
      await parts.exchange.stop(new Error('the answer is no longer wanted'))
      await whole
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return body
    },
  }
  return body
}

async function settle(parts: PushParts, hold: ReportHold, progress: () => void): Promise<Buffer> {
  const { exchange } = parts
  let broken: unknown = null
  const output = exchange.output
  for (;;) {
    const next = await output.next().catch(() => ({ done: true as const, value: undefined }))
    if (next.done) break
    exchange.touch()
    try {
      if (broken === null) hold.add(next.value)
    } catch (error) {
      broken = error
    }
    progress()
  }
  const exit = await exchange.exited
  try {
    await parts.ended(exit)
    const changes = await changesOf(parts, hold, exit)
    // Git may have ended in order just before it was stopped: the change counts whoever has left since.
    await parts.finish(changes)
    await parts.onChanged?.(changes)
  } finally {
    parts.settled()
  }
  if (exit.code !== 0 || exchange.failure !== null) throw exchange.error(exit)
  if (broken !== null) throw broken instanceof Error ? broken : new GitUnavailable(String(broken))
  return hold.takeHeld()
}

async function changesOf(parts: PushParts, hold: ReportHold, exit: GitExit): Promise<RefUpdate[]> {
  const wanted = parts.head.commands.filter((command) => command.from !== command.to)
  const updated = exit.code === 0 ? hold.updated() : null
  // The report is exact even when another push has moved the ref on since. Deleting what is not there is reported as done, too.
  if (updated !== null)
    return wanted.filter((command) => updated.has(command.ref) && (command.to !== null || (parts.before.get(command.ref) ?? null) !== null))
  const after = await refValues(parts.refs, parts.directory, wanted)
  return wanted.filter((command) => after.get(command.ref) === command.to && parts.before.get(command.ref) !== command.to)
}

export type { PushParts }
export { refValues, answerPush }
