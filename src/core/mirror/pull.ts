import { findOrNull } from '../access/find.ts'
import { fault, isFault } from '../kernel/fault.ts'
import { Closed, Nullable, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { specAfter } from '../repository/after-push.ts'
import { storageOf } from '../repository/code.ts'
import { CloneUriMember, RepositoryMember } from '../repository/inputs.ts'
import { onStorage } from '../repository/on-storage.ts'
import { pushDetail, pushEvent, recordPush, settlePush } from '../repository/push-record.ts'
import { patchedSpec, specOf } from '../repository/spec.ts'
import { mirrorStorageOf, namedRemote, storedRemote, transferMs, withRemote } from './remote.ts'
import type { Ctx } from '../operation/context.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { PullSource, Pulled } from '../../ports/mirror.ts'
import type { PushRow, ResourceRow } from '../../ports/store/rows.ts'
import type { RemoteAddress } from './address.ts'

const name = 'repository.pull'

const pullRepository = defineOperation({
  name,
  summary: 'Brings the branches of another repository here: of an address, else of the one that it mirrors, else of the one that it was forked from.',
  description:
    'Each branch becomes what it is there, whatever it was here; tags and deletions are not followed. All branches change at once or none does, and the change is recorded as a push of the caller.',
  input: Closed({ repository: RepositoryMember, clone_uri: Type.Optional(CloneUriMember) }),
  output: Closed({
    id: Type.String(),
    path: Type.String(),
    from: Type.String({ description: 'The address, without secrets, or the path of the repository that it was forked from.' }),
    changes: Type.Array(Closed({ ref: Type.String(), from: Nullable(Type.String()), to: Nullable(Type.String()) })),
    skipped: Type.Array(Type.String(), { description: 'Branches that were left out because a name here is in their way.' }),
  }),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'act',
  deadlineMs: transferMs,
  secretMembers: ['clone_uri'],
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.repository}`,
    subjectId: (_, output) => output?.id ?? null,
    detail: (_, output) => ({ from: output?.from ?? '', ...pushDetail(output?.changes ?? []) }),
  },
  example: { repository: 'mirrors/weather' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const source = await sourceOf(ctx, row, input.clone_uri)
    const push: Push = { intent: null, recorded: false }
    try {
      const pulled = await bring(ctx, row, source, push)
      return await record(ctx, row, push, { from: source.shown, changes: [...pulled.changes], skipped: [...pulled.skipped] })
    } catch (error) {
      if (source.stored) await noteFailure(ctx, row, error)
      throw error
    } finally {
      if (push.intent && !push.recorded) {
        await settlePush(ctx.services, push.intent).catch((error: unknown) => ctx.log.warn('push.left_open', { push: push.intent?.id, error }))
      }
    }
  },
})

type Source = ({ readonly address: RemoteAddress } | { readonly parent: ResourceRow }) & { readonly shown: string; readonly stored: boolean }
type Push = { intent: PushRow | null; recorded: boolean }

async function sourceOf(ctx: Ctx, row: ResourceRow, given: string | undefined): Promise<Source> {
  if (given) {
    const address = namedRemote(ctx, row, given, name)
    return { address, shown: address.masked, stored: false }
  }
  const address = storedRemote(ctx, row, name)
  if (address) return { address, shown: address.masked, stored: true }
  const { fork_of } = specOf(row)
  // Whoever may not read the parent any more gets nothing new of it.
  const parent = fork_of === null ? null : await findOrNull(ctx, { kind: 'repository', need: 'read' }, fork_of)
  if (parent) return { parent: parent.row, shown: parent.row.name, stored: true }
  throw fault('state_conflict', {
    what: `The repository "${row.name}"`,
    state: 'no mirror and no fork',
    next: 'Name a clone_uri, or set one with repository.update.',
  })
}

async function bring(ctx: Ctx, row: ResourceRow, source: Source, push: Push): Promise<Pulled> {
  const storage = mirrorStorageOf(ctx.services, specOf(row).kind)
  const onCommands = async (commands: readonly RefUpdate[]) => {
    const intent = intentOf(ctx, row, commands)
    // Not through ctx.write: that is the commit with the audit line, which belongs to the outcome.
    await ctx.services.store.write((tables) => tables.pushes.open(intent))
    push.intent = intent
  }
  const pull = (from: PullSource) => onStorage(ctx, row, () => storage.pull(row.id, from, { signal: ctx.signal, onCommands }))
  const pulled = 'address' in source ? await withRemote(ctx, source.address, (remote) => pull({ remote })) : await pull({ storage: source.parent.id })
  if (pulled !== 'conflict') return pulled
  throw fault('state_conflict', { what: `The repository "${row.name}"`, state: 'being pushed to', next: 'Pull again.' })
}

function intentOf(ctx: Ctx, row: ResourceRow, commands: readonly RefUpdate[]): PushRow {
  const { id: user_id, name: user } = ctx.principal
  return { id: ctx.ids.record(), repository_id: row.id, user_id, user, state: 'open', commands: [...commands], changes: [], at: ctx.clock.now() }
}

async function record(ctx: Ctx, row: ResourceRow, push: Push, done: { from: string; changes: RefUpdate[]; skipped: string[] }) {
  const { intent } = push
  if (intent) await onStorage(ctx, row, () => storageOf(ctx.services, row).adoptHead(row.id, done.changes))
  const fresh = intent ? await specAfter(ctx.services, row, done.changes) : {}
  const output = await ctx.write(async (inside) => {
    const now = inside.clock.now()
    const seen = { ...fresh, pulled_at: now, pull_error: null }
    const before = intent ? await recordPush(inside.db, intent, done.changes, seen, now) : await inside.db.resources.byId(row.id)
    if (!intent && before?.deleted_at === null) await inside.db.resources.update(row.id, { spec: patchedSpec(before, seen) })
    return { id: row.id, path: before?.name ?? row.name, ...done }
  })
  push.recorded = true
  if (intent) ctx.emit(pushEvent(row, intent, done.changes))
  return output
}

// For whoever looks why a mirror stands still. A server that stops, or a caller who leaves, says nothing about the remote.
async function noteFailure(ctx: Ctx, row: ResourceRow, error: unknown): Promise<void> {
  if (ctx.signal.aborted || !isFault(error)) return
  await ctx.services.store
    .write(async ({ resources }) => {
      const now = await resources.byId(row.id)
      if (now?.deleted_at === null) await resources.update(row.id, { spec: patchedSpec(now, { pull_error: error.message.slice(0, 500) }) })
    })
    .catch((reason: unknown) => ctx.log.warn('pull.failure_not_noted', { repository: row.id, error: reason }))
}

export { pullRepository }
