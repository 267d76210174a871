import { createHash } from 'node:crypto'
import { fault } from '../kernel/fault.ts'
import { canonical } from '../kernel/json.ts'
import { DuplicateKey } from '../../ports/store/store.ts'
import type { Fault } from '../kernel/fault.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { RunRow } from '../../ports/store/rows.ts'

/** How long the first answer to a key is repeated. */
const keptMs = 24 * 3_600_000

type Idempotency = { readonly route: string; readonly key: string; readonly fingerprint: string }

/** The note on a conflict that is repeated from an earlier call, for an API that marks replays. */
const replayNote = 'replayed'

/** What identifies a repetition of a call: null when the caller gave no key. `about` is everything that the call says besides the key. */
function idempotencyOf(input: { idempotency_key?: string; route?: string }, operation: string, about: object): Idempotency | null {
  if (input.idempotency_key === undefined) return null
  const fingerprint = createHash('sha256').update(canonical(about)).digest('hex')
  return { route: input.route ?? operation, key: input.idempotency_key, fingerprint }
}

/**
 * The run that an earlier call with this key started, or null when there was none. An earlier conflict is thrown again; another call under the same key is
 * `idempotency_key_reuse`. Only a shortcut: the act that accepts a run decides, so that two calls at once make one run.
 */
async function replayOf(ctx: Ctx, idempotency: Idempotency | null, kind: string, name: string): Promise<{ run: RunRow; replaced: boolean } | null> {
  if (!idempotency) return null
  const record = await ctx.db.idempotency.get(ctx.principal.id, idempotency.route, idempotency.key)
  if (!record) return null
  const before = ctx.clock.now() - keptMs
  if (record.at < before) {
    // Away with it now, and so with all as old: the act that accepts a run does not ask how old a record is.
    await ctx.services.store.write((tables) => tables.idempotency.prune(before, 1_000_000))
    return null
  }
  if (record.fingerprint !== idempotency.fingerprint) throw fault('idempotency_key_reuse')
  const { conflict, run, replaced } = record.outcome
  if (typeof conflict === 'string') throw nameInUse(kind, name, conflict, true)
  const row = typeof run === 'string' ? await ctx.db.runs.byId(run) : null
  return row && { run: row, replaced: typeof replaced === 'string' || replaced === true }
}

/** The whole answer that an earlier call with this key got, marked as a replay; null when there was none. For what is updated in place, and no run says what it was. */
async function answerOf<Answer>(ctx: Ctx, idempotency: Idempotency | null): Promise<(Answer & { replayed: boolean }) | null> {
  if (!idempotency) return null
  const record = await ctx.db.idempotency.get(ctx.principal.id, idempotency.route, idempotency.key)
  if (!record || record.at < ctx.clock.now() - keptMs) return null
  if (record.fingerprint !== idempotency.fingerprint) throw fault('idempotency_key_reuse')
  const { answer } = record.outcome
  return answer === undefined ? null : { ...(answer as unknown as Answer), replayed: true } // written by `keepAnswer` only
}

/** Makes an answer and keeps it in the same commit; of two calls at once with one key the second gets the answer of the first. */
async function keepAnswer<Answer extends object>(
  ctx: WriteCtx,
  idempotency: Idempotency | null,
  make: () => Promise<Answer>,
): Promise<Answer & { replayed: boolean }> {
  const known = await answerOf<Answer>(ctx, idempotency)
  if (known) return known
  const answer = await make()
  if (idempotency) {
    const outcome = { answer: answer as JsonObject } // views are plain data
    const record = { ...idempotency, identity: ctx.principal.id, outcome, at: ctx.clock.now() }
    const kept = await ctx.db.idempotency.put(record)
    // Another server answered it in the same moment: this commit is undone, and the caller finds that answer.
    if (kept !== record && kept.at >= record.at - keptMs) throw new DuplicateKey('idempotency.key')
  }
  return { ...answer, replayed: false }
}

/** Keeps a conflict that was found before the act, so that it is repeated like any other first answer. */
async function keepConflict(ctx: Ctx, idempotency: Idempotency | null, existing: string): Promise<void> {
  if (!idempotency) return
  const record = { ...idempotency, identity: ctx.principal.id, outcome: { conflict: existing }, at: ctx.clock.now() }
  await ctx.services.store.write((tables) => tables.idempotency.put(record))
}

/** The fault for a name that an active run has. */
function nameInUse(kind: string, name: string, existing: string, replayed = false): Fault {
  return fault(
    'name_taken',
    { kind, name },
    { details: { existing_id: existing }, private: { kind, reference: name, member: 'name', ...(replayed && { note: replayNote }) } },
  )
}

export type { Idempotency }
export { replayNote, idempotencyOf, replayOf, answerOf, keepAnswer, keepConflict, nameInUse }
