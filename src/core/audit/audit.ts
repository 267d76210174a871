import type { AuditRow } from '../../ports/store/rows.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** The line of the audit trail for an operation: who, what, on which, when, from where, how identified, and the outcome. */
export function auditRow(ctx: Ctx, operation: AnyOperation, input: unknown, output: unknown, outcome: AuditRow['outcome']): AuditRow {
  const rule = operation.audit
  const subject = rule === 'none' ? '' : rule.subject(input, output)
  const subjectId = rule === 'none' ? null : (rule.subjectId?.(input, output) ?? idOf(output))
  const detail = rule === 'none' ? {} : (rule.detail?.(input, output) ?? {})
  return {
    id: ctx.ids.record(),
    at: ctx.clock.now(),
    actor_id: ctx.principal.id,
    actor: ctx.principal.name,
    operation: operation.name,
    subject,
    subject_id: subjectId,
    outcome,
    via: ctx.origin.via,
    peer: ctx.origin.peer,
    credential: ctx.principal.credential,
    request_id: ctx.origin.requestId,
    intent_id: null,
    detail,
  }
}

function idOf(output: unknown): string | null {
  const id: unknown = typeof output === 'object' && output !== null ? Reflect.get(output, 'id') : null
  return typeof id === 'string' ? id : null
}
