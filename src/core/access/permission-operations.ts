import { pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, OneOf, PageOf, Type } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { viewerOf } from '../identity/principal.ts'
import { defineOperation } from '../operation/operation.ts'
import { kindOf, kinds } from '../resource/kind.ts'
import { resourceExtras } from './extras.ts'
import { levels } from '../kernel/level.ts'
import { grantObject, kindGrantId } from './object.ts'
import { userNamed } from './subject.ts'
import { systemPermissions } from './system.ts'
import { heldOn } from './held.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow, UserRow } from '../../ports/store/rows.ts'
import type { Tables, Viewer } from '../../ports/store/tables.ts'
import type { Level } from '../kernel/level.ts'

const held = { level: OneOf(levels), extras: Type.Array(Type.String()) }
const User = Type.Optional(
  Type.String({ minLength: 1, maxLength: 400, description: 'Somebody else, for who administers the thing; `everyone` as well.' }),
)

const get = defineOperation({
  name: 'permission.get',
  summary: 'What the caller, or a user, may do on a thing, and where it comes from.',
  input: Closed({ on: Type.String({ minLength: 1, maxLength: 1100 }), user: User }),
  output: Closed({
    on: Type.String(),
    on_id: Type.String(),
    ...held,
    sources: Type.Array(
      Closed({ from: Type.String({ description: '`administrator`, `owner`, `everyone`, `user:…`, `group:…`.' }), on: Type.String(), ...held }),
    ),
  }),
  access: 'signed-in',
  subjects: {},
  example: { on: 'repository:lab/weather' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const other = input.user !== undefined
    const object = await grantObject(ctx, input.on, other ? 'admin' : 'read', 'permission.get')
    const row = object.row
    if (!row) throw fault('invalid_reference', { reference: input.on, example: 'repository:lab/weather' })
    const user = other ? await subjectUser(ctx, input.user ?? '') : await ctx.db.users.byId(ctx.principal.id)
    const viewer = user ? viewerFor(user) : viewerOf(ctx.principal)
    const { level, extras } = await access(ctx.db, row, viewer)
    return { on: object.reference, on_id: row.id, level, extras, sources: await sourcesOf(ctx, row, viewer, user) }
  },
})

const list = defineOperation({
  name: 'permission.list',
  summary: 'What the caller, or for administrators a user, may do on each thing of a kind that the caller may read.',
  description: 'Administrators see the things on which the user holds nothing as well.',
  input: Closed({ kind: OneOf(Object.keys(kinds)), user: User, ...listMembers }),
  output: PageOf(Closed({ on: Type.String(), on_id: Type.String(), serial: Type.Integer(), name: Type.String(), ...held })),
  access: 'signed-in',
  subjects: {},
  example: { kind: 'repository' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    if (input.user !== undefined && !ctx.principal.administrator) {
      throw fault(
        'forbidden',
        { operation: 'permission.list', need: 'an administrator', subject: input.user },
        { private: { reference: input.user } },
      )
    }
    const user = input.user === undefined ? null : await subjectUser(ctx, input.user)
    const viewer = user ? viewerFor(user) : viewerOf(ctx.principal)
    const { ownerIsAdmin } = kindOf(input.kind)
    const page = await ctx.db.resources.keys({ kind: input.kind }, viewerOf(ctx.principal), { need: 'read', ownerIsAdmin }, pageRequest(input))
    const held = await ctx.db.resources.accessAll(page.items, viewer, { ownerIsAdmin })
    const items = page.items.map((row) => {
      const { level, extras } = held.get(row.id) ?? { level: 'none', extras: [] }
      const all = level === 'admin' ? allExtras(row.kind) : extras
      return { on: `${row.kind}:${row.name}`, on_id: row.id, serial: row.serial, name: row.name, level, extras: all }
    })
    return { items, next: page.next }
  },
})

const permissionOperations: AnyOperation[] = [get, list]

async function subjectUser(ctx: Ctx, reference: string): Promise<UserRow> {
  return userNamed(ctx, reference === 'everyone' ? `user:${everyoneId}` : reference, 'user')
}

function viewerFor(user: UserRow): Viewer {
  return { userId: user.id, administrator: user.administrator }
}

async function access(tables: Tables, row: ResourceRow, viewer: Viewer): Promise<{ level: Level; extras: string[] }> {
  const found = await heldOn(tables, row, viewer)
  return found.level === 'admin' ? { level: 'admin', extras: allExtras(row.kind) } : found
}

function allExtras(kind: string): string[] {
  return kind === 'system' ? Object.keys(systemPermissions) : [...resourceExtras]
}

type Source = { from: string; on: string; level: Level; extras: string[] }

// The same rows that the one query of the store counts (design §9), told apart.
async function sourcesOf(ctx: Ctx, row: ResourceRow, viewer: Viewer, user: UserRow | null): Promise<Source[]> {
  const on = `${row.kind}:${row.name}`
  const sources: Source[] = []
  if (viewer.administrator) sources.push({ from: 'administrator', on, level: 'admin', extras: allExtras(row.kind) })
  if (kindOf(row.kind).ownerIsAdmin && row.owner_id === viewer.userId && viewer.userId !== everyoneId) {
    sources.push({ from: 'owner', on, level: 'admin', extras: allExtras(row.kind) })
  }
  const groups = (await ctx.db.members.groupsOf(viewer.userId)).filter((group) => group.active)
  const names = new Map<string, string>(groups.map((group) => [group.id, `group:${group.name}`]))
  if (user && user.id !== everyoneId) names.set(user.id, `user:${user.name}`)
  if (!row.private) names.set(everyoneId, 'everyone')
  for (const [id, place] of [
    [row.id, on],
    [kindGrantId(row.kind), kindGrantId(row.kind)],
  ] as const) {
    for (const grant of await ctx.db.grants.ofResource(id)) {
      const from = names.get(grant.subject_id)
      if (from !== undefined) sources.push({ from, on: place, level: grant.level, extras: grant.extras })
    }
  }
  return sources
}

export { permissionOperations }
