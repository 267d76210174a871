import { fault } from '../kernel/fault.ts'
import type { Ctx } from '../operation/context.ts'
import type { AcceptResult } from '../../ports/store/runs.ts'
import type { Accepted, AcceptOptions, RunDraft } from './draft.ts'

type NotAccepted = Exclude<AcceptResult, { outcome: 'accepted' }>

/** What a caller gets whose run the store did not take: the run of an earlier call with the same key, or the fault of it. */
async function notAccepted(ctx: Ctx, draft: RunDraft, options: AcceptOptions, result: NotAccepted): Promise<Accepted> {
  const taken = (id: string) => fault('name_taken', { kind: draft.kind, name: draft.name }, { details: { existing_id: id } })
  switch (result.outcome) {
    case 'name_taken':
      throw taken(result.id)
    case 'slot_taken':
      throw fault('state_conflict', { what: 'This occurrence', state: 'started already', next: 'Nothing is left to do.' })
    case 'queue_full':
      throw fault('quota_exceeded', { scope: `The namespace "${draft.namespace}"`, limit: options.queueLimit }, { retryAfterMs: 10_000 })
    case 'replayed': {
      const { record } = result
      if (record.fingerprint !== options.idempotency?.fingerprint) throw fault('idempotency_key_reuse')
      if (typeof record.outcome.conflict === 'string') throw taken(record.outcome.conflict)
      const row = await ctx.db.runs.byId(String(record.outcome.run))
      if (!row) throw fault('not_found', { kind: 'run', reference: String(record.outcome.run) }, { private: { kind: 'run', absence: 'missing' } })
      return { run: row, replaced: Boolean(record.outcome.replaced), replayed: true }
    }
  }
}

export { notAccepted }
