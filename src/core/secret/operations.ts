import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, PageOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { reserveGeneral, releaseGeneral } from './general.ts'
import { secretContext } from './open.ts'
import { scopeForChange, scopeOf, shownScopes } from './scope.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { SecretRow } from '../../ports/store/rows.ts'

const namePattern = '^[A-Za-z0-9_][A-Za-z0-9._-]*$'
const Name = Type.String({ minLength: 1, maxLength: 253, pattern: namePattern })
const Scope = Type.Optional(Type.String({ maxLength: 1100, description: '`namespace:…` or `repository:…`; none: everywhere, for administrators.' }))
const mostBytes = 65_536

const Secret = Closed({
  id: Type.String(),
  name: Type.String(),
  key: Type.String(),
  scope: Type.String({ description: 'Empty: everywhere.' }),
  created_at: Time,
  updated_at: Time,
  updated_by: Type.String(),
})

const audit = {
  subject: (input: { name: string }, output: { name: string } | undefined) => `secret:${output?.name ?? input.name}`,
  detail: (input: { scope?: string; key?: string }, output: { scope?: string; key?: string } | undefined) => ({
    scope: output?.scope ?? input.scope ?? '',
    key: output?.key ?? input.key ?? '',
  }),
}

const set = defineOperation({
  name: 'secret.set',
  summary: 'Keeps a value that runs can be given and nobody can read back.',
  input: Closed({
    name: Name,
    value: Type.String({ maxLength: mostBytes }),
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: namePattern, description: '`value` when left out.' })),
    scope: Scope,
  }),
  output: Secret,
  access: 'signed-in',
  subjects: {},
  example: { name: 'weather', key: 'api-key', value: 'a-value', scope: 'namespace:weather' },
  secretMembers: ['value'],
  effect: 'write',
  audit,
  async run(ctx, input) {
    if (Buffer.byteLength(input.value) > mostBytes) throw fault('payload_too_large', { limit: mostBytes })
    const scope = await scopeForChange(ctx, input.scope, 'secret.set')
    const key = input.key ?? 'value'
    const now = ctx.clock.now()
    const before = await ctx.db.secrets.get(scope.stored, input.name, key)
    // The sealed text is bound to the id of its row, and a changed secret keeps its row.
    const id = before?.id ?? ctx.ids.record()
    const sealed = ctx.services.secretBox.seal(input.value, secretContext(id))
    const row: SecretRow = {
      id,
      scope: scope.stored,
      name: input.name,
      key,
      sealed,
      created_at: before?.created_at ?? now,
      updated_at: now,
      updated_by: ctx.principal.name,
    }
    await ctx.db.secrets.set(row)
    if (scope.stored === '') await reserveGeneral(ctx, input.name)
    return view(row, scope.shown)
  },
})

const list = defineOperation({
  name: 'secret.list',
  summary: 'The names of the secrets of a scope; without one, of all scopes, for administrators. Never a value.',
  input: Closed({ scope: Scope, ...listMembers }),
  output: PageOf(Secret),
  access: 'signed-in',
  subjects: {},
  example: { scope: 'namespace:weather' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const scope = await scopeOf(ctx, input.scope, 'secret.list')
    const page = await ctx.db.secrets.page(scope.stored === '' ? {} : { scope: scope.stored }, pageRequest(input))
    const shown = await shownScopes(
      ctx.db,
      page.items.map((row) => row.scope),
    )
    return { items: page.items.map((row) => view(row, shown(row.scope))), next: page.next }
  },
})

const remove = defineOperation({
  name: 'secret.delete',
  summary: 'Deletes one key of a secret, or without `key` all of it.',
  input: Closed({ name: Name, key: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })), scope: Scope }),
  output: Closed({ name: Type.String(), scope: Type.String(), deleted: Type.Integer({ description: 'How many keys.' }) }),
  access: 'signed-in',
  subjects: {},
  example: { name: 'weather', scope: 'namespace:weather' },
  effect: 'write',
  audit: { subject: audit.subject, detail: ({ key }, output) => ({ scope: output?.scope ?? '', ...(key === undefined ? {} : { key }) }) },
  async run(ctx, input) {
    const scope = await scopeForChange(ctx, input.scope, 'secret.delete')
    const deleted = await ctx.db.secrets.remove(scope.stored, input.name, input.key ?? null)
    if (deleted === 0) {
      const context = { absence: 'missing', kind: 'secret', reference: input.name, member: 'name' } as const
      throw fault('not_found', { kind: 'secret', reference: input.name }, { private: context })
    }
    if (scope.stored === '') await releaseGeneral(ctx, input.name)
    return { name: input.name, scope: scope.shown, deleted }
  },
})

const secretOperations: AnyOperation[] = [set, list, remove]

function view(row: Omit<SecretRow, 'sealed'>, scope: string) {
  const { id, name, key, updated_by } = row
  return { id, name, key, scope, created_at: timestamp(row.created_at), updated_at: timestamp(row.updated_at), updated_by }
}

export { secretOperations }
