import { timestamp } from '../kernel/clock.ts'
import { isUuid } from '../kernel/id.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, OneOf, PageOf, Time, Type } from '../kernel/schema.ts'
import { parseMoment } from '../identity/moment.ts'
import { defineOperation } from '../operation/operation.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { AuditRow } from '../../ports/store/rows.ts'
import type { AuditFilter } from '../../ports/store/tables.ts'

const AuditEvent = Closed({
  id: Type.String(),
  at: Time,
  actor: Type.String(),
  actor_id: Type.String(),
  operation: Type.String({ description: 'The native name, whatever API it came through.' }),
  subject: Type.String({ description: '`kind:name` of what was acted on.' }),
  subject_id: Nullable(Type.String()),
  outcome: OneOf(['intent', 'succeeded', 'failed', 'refused', 'unknown']),
  via: Type.String({ description: 'The API that it came through.' }),
  peer: Type.String(),
  credential: Type.String({ description: 'How the actor was identified.' }),
  request_id: Type.String(),
  intent_id: Nullable(Type.String()),
  detail: Type.Unsafe<JsonObject>({ type: 'object' }),
})

const list = defineOperation({
  name: 'audit.list',
  summary: 'Who did what to which, newest first: everything for administrators, their own acts for others.',
  input: Closed({
    actor: Type.Optional(Type.String({ minLength: 1, maxLength: 400, description: 'Name or id of who acted.' })),
    subject: Type.Optional(Type.String({ minLength: 1, maxLength: 1100, description: '`kind:name` or id of what was acted on.' })),
    operation: Type.Optional(Type.String({ maxLength: 100 })),
    since: Type.Optional(Time),
    ...listMembers,
  }),
  output: PageOf(AuditEvent),
  access: 'signed-in',
  subjects: {},
  example: { subject: 'user:ann', since: '2027-01-01T00:00:00Z' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const asked: AuditFilter = {
      ...actorFilter(input.actor),
      ...subjectFilter(input.subject),
      ...(input.operation === undefined ? {} : { operation: input.operation }),
      ...(input.since === undefined ? {} : { since: parseMoment('audit.list', 'since', input.since) }),
    }
    const { administrator, id } = ctx.principal
    // Asking for somebody else's acts gives nothing, whether there is such a somebody or not.
    if (!administrator && asked.actorId !== undefined && asked.actorId !== id) return { items: [], next: null }
    const page = await ctx.db.audit.page(administrator ? asked : { ...asked, actorId: id }, pageRequest(input))
    return { items: page.items.map(view), next: page.next }
  },
})

const auditOperations: AnyOperation[] = [list]

function actorFilter(actor: string | undefined): AuditFilter {
  if (actor === undefined) return {}
  const name = actor.startsWith('user:') ? actor.slice('user:'.length) : actor
  return isUuid(name) ? { actorId: name } : { actor: name }
}

function subjectFilter(subject: string | undefined): AuditFilter {
  if (subject === undefined) return {}
  const id = subject.slice(subject.indexOf(':') + 1)
  return isUuid(id) ? { subjectId: id } : { subject }
}

function view(row: AuditRow) {
  return { ...row, at: timestamp(row.at) }
}

export { auditOperations }
