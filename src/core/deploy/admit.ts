import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { workloadKind, workloadOf } from './workload.ts'

/** Lets the gateway ask, as its visitor. */
const admit = defineOperation({
  name: 'service.admit',
  summary: 'Whether the caller may use a published service, and as whom the service shall know the caller.',
  input: Closed({ service: Type.String({ maxLength: 100, description: 'Id of the service.' }) }),
  output: Closed({ identity: Type.String({ description: 'E-mail address, or else the name.' }) }),
  access: 'signed-in',
  subjects: {},
  hidden: true,
  effect: 'read',
  audit: 'none',
  example: { service: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' },
  async run(ctx, input) {
    const row = await ctx.db.resources.byId(input.service)
    const published = row?.kind === workloadKind ? workloadOf(row).published : null
    const context = { kind: 'service', reference: input.service, member: 'service' } as const
    if (!row || !published) throw fault('not_found', { kind: 'service', reference: input.service }, { private: { absence: 'missing', ...context } })
    const { principal } = ctx
    const identity = principal.email ?? principal.name
    if (published.access === null || principal.administrator) return { identity }
    const group = await ctx.db.resources.byName('group', published.access)
    const groups = group?.active ? await ctx.db.members.groupsOf(principal.id) : []
    if (groups.some(({ id }) => id === group?.id)) return { identity }
    const { name } = workloadOf(row)
    throw fault('forbidden', { operation: 'this', need: `membership of ${published.access}`, subject: `service:${name}` }, { private: context })
  },
})

export { admit }
