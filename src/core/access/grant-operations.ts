import { timestamp } from '../kernel/clock.ts'
import { fault, problemsFault } from '../kernel/fault.ts'
import { Closed, OneOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { unknownExtras } from './extras.ts'
import { levels } from '../kernel/level.ts'
import { rowsBelow } from '../repository/walk.ts'
import { grantObject, grantObjectAhead } from './object.ts'
import { grantSubject, subjectReferences } from './subject.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx } from '../operation/context.ts'
import type { GrantRow, ResourceRow } from '../../ports/store/rows.ts'
import type { GrantObject } from './object.ts'

const Grant = Closed({
  to: Type.String({ description: '`user:…`, `group:…` or `everyone`.' }),
  to_id: Type.String(),
  on: Type.String({ description: '`<kind>:<name>`, or `kind:<kind>` for a whole kind.' }),
  on_id: Type.String(),
  level: OneOf(levels),
  extras: Type.Array(Type.String()),
  created_at: Time,
})

const To = Type.String({ minLength: 1, maxLength: 500, description: '`user:…`, `group:…` or `everyone` (signed in or not).' })
const On = Type.String({ minLength: 1, maxLength: 1100, description: 'For example `repository:lab/weather`; `kind:repository` for all of a kind.' })

const Below = OneOf(['repositories', 'groups', 'both'], {
  description: 'On a group of repositories: on everything of this kind below it as well, in the same commit.',
})

const audit = {
  subject: (input: { on?: string }, output: { on: string } | undefined) => output?.on ?? input.on ?? '',
  subjectId: (_: unknown, output: { on_id: string } | undefined) => output?.on_id ?? null,
}

const set = defineOperation({
  name: 'grant.set',
  summary: 'What somebody may do on a thing, in place of what was granted before.',
  description: 'Needs admin on it. `none` is kept and listed, and takes nothing away. Administrators may name a namespace before its first use.',
  input: Closed({
    to: To,
    on: On,
    level: OneOf(levels),
    extras: Type.Optional(
      Type.Array(Type.String({ maxLength: 60 }), { maxItems: 50, description: 'Named rights besides the level: logs, terminal, …' }),
    ),
    below: Type.Optional(Below),
  }),
  output: Grant,
  access: 'signed-in',
  subjects: {},
  example: { to: 'user:ann', on: 'repository:lab/weather', level: 'write' },
  effect: 'write',
  audit: {
    ...audit,
    detail: ({ to, level, extras, below }, output) => ({
      to: output?.to ?? to,
      level,
      ...(extras ? { extras } : {}),
      ...(below ? { below } : {}),
    }),
  },
  async run(ctx, input) {
    const object = await grantObjectAhead(ctx, input.on, 'admin', 'grant.set')
    const subject = await grantSubject(ctx, input.to, 'to')
    const extras = [...new Set(input.extras ?? [])].sort()
    refuseNonsense(object, input.level, extras)
    const before = await ctx.db.grants.one(object.id, subject.id)
    const row: GrantRow = {
      resource_id: object.id,
      subject_id: subject.id,
      subject_kind: subject.kind,
      level: input.level,
      extras,
      created_at: before?.created_at ?? ctx.clock.now(),
    }
    await ctx.db.grants.set(row)
    for await (const child of grantedBelow(ctx, object, 'grant.set', input.below)) await ctx.db.grants.set({ ...row, resource_id: child.id })
    emitGrant(ctx, object)
    return view(row, subject.reference, object.reference)
  },
})

const remove = defineOperation({
  name: 'grant.delete',
  summary: 'Takes a grant back.',
  input: Closed({ to: To, on: On, below: Type.Optional(Below) }),
  output: Closed({ deleted: Type.Boolean({ description: 'False when there was none.' }), on: Type.String(), on_id: Type.String() }),
  access: 'signed-in',
  subjects: {},
  example: { to: 'user:ann', on: 'repository:lab/weather' },
  effect: 'write',
  audit: { ...audit, detail: ({ to, below }) => ({ to, ...(below ? { below } : {}) }) },
  async run(ctx, input) {
    const object = await grantObject(ctx, input.on, 'admin', 'grant.delete')
    const subject = await grantSubject(ctx, input.to, 'to')
    const deleted = await ctx.db.grants.remove(object.id, subject.id)
    for await (const child of grantedBelow(ctx, object, 'grant.delete', input.below)) await ctx.db.grants.remove(child.id, subject.id)
    emitGrant(ctx, object)
    return { deleted, on: object.reference, on_id: object.id }
  },
})

const list = defineOperation({
  name: 'grant.list',
  summary: 'The grants on a thing for who administers it, those to a subject for administrators and for oneself.',
  input: Closed({ on: Type.Optional(On), to: Type.Optional(To) }),
  output: Closed({ items: Type.Array(Grant), next: Type.Null() }),
  access: 'signed-in',
  subjects: {},
  example: { on: 'repository:lab/weather' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const rows = await listed(ctx, input)
    const subjectOf = await subjectReferences(ctx.db, rows)
    const objectOf = await objectReferences(ctx, rows)
    const items = rows.flatMap((row) => {
      const [to, on] = [subjectOf(row.subject_id), objectOf(row.resource_id)]
      return to === null || on === null ? [] : [view(row, to, on)]
    })
    return { items, next: null }
  },
})

const grantOperations: AnyOperation[] = [set, remove, list]

async function listed(ctx: Ctx, input: { on?: string; to?: string }): Promise<GrantRow[]> {
  if (input.on === undefined && input.to === undefined) {
    throw problemsFault('invalid_input', 'grant.list', [{ path: '', code: 'required', message: 'must name `on` or `to`' }])
  }
  const object = input.on === undefined ? null : await grantObject(ctx, input.on, 'admin', 'grant.list')
  const subject = input.to === undefined ? null : await grantSubjectOf(ctx, input.to, object !== null)
  if (!object) return subject ? ctx.db.grants.ofSubject(subject.id) : []
  const rows = await ctx.db.grants.ofResource(object.id)
  return subject ? rows.filter((row) => row.subject_id === subject.id) : rows
}

// Without an object in hand, who holds what is only for the one it is about: the fault is the same whether such a user exists or not.
async function grantSubjectOf(ctx: Ctx, reference: string, administersObject: boolean) {
  const { administrator, id, name } = ctx.principal
  if (administersObject || administrator) return grantSubject(ctx, reference, 'to')
  if (reference !== `user:${id}` && reference !== `user:${name}`) {
    throw fault('forbidden', { operation: 'grant.list', need: 'an administrator', subject: reference }, { private: { reference, member: 'to' } })
  }
  return grantSubject(ctx, `user:${id}`, 'to')
}

// Whoever administers a group of repositories may apply its grants to what is below, as repository-group.apply-permissions does.
async function* grantedBelow(
  ctx: Ctx,
  object: GrantObject,
  operation: string,
  below: 'repositories' | 'groups' | 'both' | undefined,
): AsyncGenerator<ResourceRow> {
  if (below === undefined) return
  if (object.kind !== 'repository-group') {
    throw problemsFault('invalid_input', operation, [{ path: '/below', code: 'below', message: 'is for groups of repositories only' }])
  }
  if (below !== 'repositories') yield* rowsBelow(ctx.db, 'repository-group', object.name)
  if (below !== 'groups') yield* rowsBelow(ctx.db, 'repository', object.name)
}

async function objectReferences(ctx: Ctx, rows: readonly GrantRow[]): Promise<(id: string) => string | null> {
  const resources = await ctx.db.resources.byIds([...new Set(rows.map((row) => row.resource_id))])
  const known = new Map(resources.filter((row) => row.deleted_at === null).map((row) => [row.id, `${row.kind}:${row.name}`]))
  return (id) => (id.startsWith('kind:') ? id : (known.get(id) ?? null))
}

// The system resource is only a place for system permissions: whoever could administer it could grant himself all of them.
function refuseNonsense(object: GrantObject, level: string, extras: readonly string[]): void {
  const unknown = unknownExtras(object.kind, extras)
  const problems = unknown.map((extra) => ({ path: '/extras', code: 'unknown', message: `${extra} is no extra of ${object.reference}` }))
  if (object.kind === 'system' && level !== 'none' && level !== 'read') {
    problems.push({ path: '/level', code: 'level', message: 'can only be none or read on the system; what counts there are the extras' })
  }
  if (problems.length > 0) throw problemsFault('invalid_input', 'grant.set', problems)
}

function emitGrant(ctx: Ctx, object: GrantObject): void {
  ctx.emit({ kind: 'grant', id: object.id, name: object.reference, state: 'changed', resource_id: object.row?.id ?? null })
}

function view(row: GrantRow, to: string, on: string) {
  const { level, extras } = row
  return { to, to_id: row.subject_id, on, on_id: row.resource_id, level, extras, created_at: timestamp(row.created_at) }
}

export { grantOperations }
