import { Closed, Type } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { sleep } from '../kernel/clock.ts'
import { subject } from '../operation/operation.ts'
import { defineStream } from '../operation/stream.ts'
import { isEnd } from '../kernel/run-state.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { LogName } from '../../ports/run-log.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'

/** A piece of a log. `end` is true once, with the last piece: nothing comes after it. */
export type LogPiece = { readonly offset: number; readonly bytes: Uint8Array; readonly end: boolean }

const pieceSize = 64 * 1024
const lookAgainMs = 150

const input = Closed({
  run: Type.String({ description: 'The run.' }),
  step: Type.Optional(Type.String({ description: 'Key of the step; may be left out where the run has one.' })),
  attempt: Type.Optional(Type.Integer({ minimum: 1, description: 'The attempt; the newest when left out.' })),
  offset: Type.Optional(Type.Integer({ minimum: 0, description: 'First byte wanted.' })),
  follow: Type.Optional(Type.Boolean({ description: 'Wait for more until the attempt has ended.' })),
})

/** The output of a step's attempt from an offset on, live within 200 ms, secrets masked. */
export const runLogStream = defineStream({
  name: 'run.follow-log',
  summary: 'The output of a run, as it grows.',
  input,
  access: 'anyone',
  subjects: { run: subject('run', 'read', 'run') },
  run: (ctx, given, found) => followLog(ctx, given, found.run.row),
})

type FollowInput = Static<typeof input>

async function* followLog(ctx: Ctx, given: FollowInput, run: RunRow): AsyncGenerator<LogPiece> {
  const { runLog } = ctx.services
  const first = await stepOf(ctx, run, given.step)
  const log: LogName = { run: first.run_id, step: first.key, attempt: given.attempt ?? first.attempt }
  let offset = given.offset ?? 0
  let grown = false
  let wake: () => void = () => {}
  const unwatch = runLog.watch(log, () => {
    grown = true
    wake()
  })
  try {
    while (!ctx.signal.aborted) {
      grown = false
      // The state is read before the log: what is appended before the end is always seen.
      const ended = !given.follow || (await hasEnded(ctx, log))
      const bytes = await runLog.read(log, { offset, limit: pieceSize })
      if (bytes.length > 0) yield { offset, bytes, end: false }
      offset += bytes.length
      if (bytes.length > 0) continue
      if (ended) return yield { offset, bytes, end: true }
      if (grown) continue
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      await Promise.race([woken, sleep(ctx.clock, lookAgainMs, ctx.signal).catch(() => {})])
    }
  } finally {
    unwatch()
  }
}

async function hasEnded(ctx: Ctx, log: LogName): Promise<boolean> {
  const step = await ctx.db.steps.one(log.run, log.step)
  return !step || step.attempt > log.attempt || isEnd(step.state)
}

// Without a key: the run's only step, or the one that runs, or the last.
async function stepOf(ctx: Ctx, run: RunRow, key: string | undefined): Promise<StepRow> {
  const steps = await ctx.db.steps.ofRun(run.id)
  const chosen = key === undefined ? (steps.find((step) => step.state === 'running') ?? steps.at(-1)) : steps.find((step) => step.key === key)
  if (!chosen) throw fault('not_found', { kind: 'step', reference: key ?? run.id }, { private: { kind: 'step', absence: 'missing' } })
  // The step of a pipeline is a run of its own, and so is its log.
  if (!chosen.child_id) return chosen
  const child = await ctx.db.runs.byId(chosen.child_id)
  return child ? stepOf(ctx, child, undefined) : chosen
}
