import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { timestamp } from '../kernel/clock.ts'
import { Closed, listMembers, Nullable, OneOf, PageOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { specAfter } from './after-push.ts'
import { RepositoryMember } from './inputs.ts'
import { pushDetail, pushEvent, recordNothing, recordPush, settlePush } from './push-record.ts'
import { HgTransferMember, serveHg } from './hg-transfer.ts'
import { refuseProtectedPush } from './protection.ts'
import { ProtocolMember, serve, transferOf, TransferMember } from './transfer.ts'
import { causeOfCall } from '../workflow/trigger/queue.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { PushRow, ResourceRow } from '../../ports/store/rows.ts'

/** What a push did to one ref: `from` is null for what was made, `to` for what was deleted. */
const RefChange = Closed({ ref: Type.String(), from: Nullable(Type.String()), to: Nullable(Type.String()) })

const pushRepository = defineOperation({
  name: 'repository.push',
  summary: 'Takes what a client of git or Mercurial pushes.',
  description:
    'An intent is durable before anything changes (of Mercurial: before it commits its own transaction); what really changed is committed with the audit line before the client hears of it. A server that is killed in between finishes the record at its next start.',
  input: Closed({ repository: RepositoryMember, protocol: ProtocolMember, transfer: TransferMember, hg_transfer: HgTransferMember }),
  output: Closed({ id: Type.String(), path: Type.String(), changes: Type.Array(RefChange) }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'write', 'repository') },
  effect: 'act',
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.repository}`,
    detail: (_, output) => pushDetail(output?.changes ?? []),
  },
  hidden: true,
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const push: Push = { intent: null, changes: null }
    const hooks = {
      onCommands: (commands: readonly RefUpdate[]) => openPush(ctx, row, push, commands),
      onChanged: (changes: readonly RefUpdate[]) => closePush(ctx, row, push, changes),
    }
    const hg = input.hg_transfer?.()
    try {
      if (hg) {
        await serveHg(ctx, row, hg, 'write', hooks)
      } else {
        const transfer = transferOf('repository.push', row, input.transfer)
        await serve(ctx, row, transfer, { service: 'receive-pack', phase: 'exchange', protocol: input.protocol ?? null, ...hooks })
      }
    } catch (error) {
      // The client left after its push was recorded: it happened all the same.
      if (!push.changes?.length) throw error
      ctx.log.debug('push.answer_lost', { repository: row.id, error })
    } finally {
      await settleIfOpen(ctx, push)
    }
    if (push.changes?.length) return { id: row.id, path: row.name, changes: [...push.changes] }
    throw fault('state_conflict', { what: 'The push', state: 'refused, or without any change', next: 'The client has been told why.' })
  },
})

const listPushes = defineOperation({
  name: 'repository.list-pushes',
  summary: 'Lists the pushes to a repository that changed something, newest first.',
  input: Closed({ repository: RepositoryMember, ...listMembers }),
  output: PageOf(
    Closed({
      id: Type.String(),
      by: Type.String(),
      at: Time,
      state: OneOf(['open', 'done', 'failed']),
      changes: Type.Array(RefChange),
    }),
  ),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const page = await ctx.db.pushes.page(repository.row.id, pageRequest(input))
    return {
      items: page.items.map(({ id, user, at, state, changes }) => ({ id, by: user, at: timestamp(at), state, changes })),
      next: page.next,
    }
  },
})

/** Resolves the pushes that were open when the server stopped. To be called at start, after git's storage is swept and before anything is served. */
async function recoverPushes(services: Services): Promise<{ done: number; failed: number; left: number }> {
  const count = { done: 0, failed: 0, left: 0 }
  for (const push of await services.store.reader.pushes.openOnes()) {
    try {
      const changes = await settlePush(services, push)
      count[changes.length > 0 ? 'done' : 'failed']++
    } catch (error) {
      count.left++
      services.log.warn('push.left_open', { push: push.id, repository: push.repository_id, error })
    }
  }
  if (count.done + count.failed + count.left > 0) services.log.info('push.recovered', count)
  return count
}

/** A push on its way: `intent` once it is durable, `changes` once they are recorded. */
type Push = { intent: PushRow | null; changes: readonly RefUpdate[] | null }

// Not through ctx.write: that is the one commit that carries the audit line, and it belongs to the outcome.
async function openPush(ctx: Ctx, row: ResourceRow, push: Push, commands: readonly RefUpdate[]): Promise<void> {
  await refuseProtectedPush(ctx, row, commands)
  const intent: PushRow = {
    id: ctx.ids.record(),
    repository_id: row.id,
    user_id: ctx.principal.id,
    user: ctx.principal.name,
    state: 'open',
    commands: [...commands],
    changes: [],
    at: ctx.clock.now(),
  }
  await ctx.services.store.write((tables) => tables.pushes.open(intent))
  push.intent = intent
}

async function closePush(ctx: Ctx, row: ResourceRow, push: Push, changes: readonly RefUpdate[]): Promise<void> {
  const { intent } = push
  if (!intent) throw new Error('A push changed refs before its intent was recorded')
  if (changes.length === 0) {
    await recordNothing(ctx.services, intent)
  } else {
    const fresh = await specAfter(ctx.services, row, changes)
    await ctx.write(async (inside) => {
      const now = await recordPush(inside.db, intent, changes, fresh, inside.clock.now(), causeOfCall(ctx.origin))
      return { id: row.id, path: now?.name ?? row.name, changes: [...changes] }
    })
    ctx.emit(pushEvent(row, intent, changes))
  }
  push.changes = changes
}

// Git ended without a word about the refs, or was never started: what is true of them now decides. If not even that can be recorded, the next start does it.
async function settleIfOpen(ctx: Ctx, push: Push): Promise<void> {
  if (!push.intent || push.changes) return
  await settlePush(ctx.services, push.intent).catch((error: unknown) => ctx.log.warn('push.left_open', { push: push.intent?.id, error }))
}

export { pushRepository, listPushes, recoverPushes }
