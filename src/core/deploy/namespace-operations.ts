import { reservedState } from '../access/namespace.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { fault } from '../kernel/fault.ts'
import { timestamp } from '../kernel/clock.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, OneOf, PageOf, Time, Type, listMembers } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { checkedName } from './names.ts'
import { insertNamespace, namespaceStates, openViewer, readableNamespace, refuseSystemNamespace } from './namespace.ts'
import type { Static } from '../kernel/schema.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { AnyOperation } from '../operation/operation.ts'

const Namespace = Closed({
  id: Type.String(),
  name: Type.String(),
  state: OneOf(namespaceStates, { description: '`reserved`: made ahead of its first use.' }),
  created_at: Time,
})

const NamespaceMember = Type.String({ minLength: 1, maxLength: 300, description: 'Its name.' })

const list = defineOperation({
  name: 'namespace.list',
  summary: 'Namespaces that something was deployed into, by name; they stay when they are empty again.',
  input: Closed({ ...listMembers }),
  output: PageOf(Namespace),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 50 },
  async run(ctx, input) {
    const viewer = openViewer(ctx) ?? { userId: everyoneId, administrator: true }
    const page = await ctx.db.resources.page({ kind: 'namespace' }, viewer, { need: 'read', ownerIsAdmin: false }, pageRequest(input))
    return { items: page.items.filter((row) => row.state === 'active').map(viewNamespace), next: page.next }
  },
})

const get = defineOperation({
  name: 'namespace.get',
  summary: 'One namespace.',
  input: Closed({ namespace: NamespaceMember }),
  output: Namespace,
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const name = checkedName(bare(input.namespace), 'namespace', 'namespace')
    await readableNamespace(ctx, name, openViewer(ctx))
    const row = await ctx.db.resources.byName('namespace', name)
    if (!row)
      throw fault('not_found', { kind: 'namespace', reference: name }, { private: { kind: 'namespace', reference: name, member: 'namespace' } })
    return viewNamespace(row)
  },
})

/** Claims a namespace before anything is deployed into it. */
const createNamespace = defineOperation({
  name: 'namespace.create',
  summary: 'Claims a namespace ahead of its first use and gives it; only who is granted something on it may deploy into it.',
  description: 'A first deploy makes its namespace by itself. Claim one where others shall deploy into it, or where it shall have secrets first.',
  input: Closed({ namespace: NamespaceMember }),
  output: Namespace,
  access: { system: 'namespace.create' },
  subjects: {},
  effect: 'write',
  audit: { subject: (input, output) => `namespace:${output?.name ?? input.namespace}` },
  example: { namespace: 'weather' },
  async run(ctx, input) {
    const name = checkedName(bare(input.namespace), 'namespace', 'namespace')
    refuseSystemNamespace(name, 'namespace.create')
    if (await ctx.db.resources.byName('namespace', name)) {
      throw fault('name_taken', { kind: 'namespace', name }, { private: { kind: 'namespace', reference: name, member: 'namespace' } })
    }
    return viewNamespace(await insertNamespace(ctx, ctx.db, name, reservedState))
  },
})

function bare(reference: string): string {
  return reference.replace(/^namespace:/, '')
}

function viewNamespace(row: ResourceRow): Static<typeof Namespace> {
  return {
    id: row.id,
    name: row.name,
    state: row.state === 'active' ? 'active' : reservedState,
    created_at: timestamp(row.created_at),
  }
}

const namespaceOperations: readonly AnyOperation[] = [list, get, createNamespace]

export { createNamespace, namespaceOperations }
