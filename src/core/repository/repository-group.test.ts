import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { membersGroup, moveToOrganisation } from '../identity/organisation.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { RepositoryGroupView, RepositoryView } from './view.ts'

let lab: RepositoryLab
let ann: Principal
let bob: Principal

beforeAll(async () => {
  lab = await openRepositoryLab()
  ann = await lab.user('ann')
  bob = await lab.user('bob')
})
afterAll(() => lab.close())

const code = async (principal: Principal, operation: string, input: unknown) => (await lab.refused(principal, operation, input)).code
const rowOf = async (kind: string, path: string) => {
  const row = await lab.store.reader.resources.byName(kind, path)
  if (!row) throw new Error(`There is no ${kind} ${path}`)
  return row
}
const inside = <T>(work: (ctx: WriteCtx) => Promise<T>) => lab.store.write((db) => work({ ...lab.services, db } as unknown as WriteCtx))

test('groups are made by administrators at the top level, and by who has admin on the group around', async () => {
  expect(await code(ann, 'repository-group.create', { path: 'top' })).toBe('forbidden')
  await lab.group('top', { description: 'all', owner: 'ann' })
  expect(await lab.call(ann, 'repository-group.create', { path: 'top/of-ann' })).toMatchObject({ path: 'top/of-ann', parent: 'top', owner: 'ann' })
  expect(await code(bob, 'repository-group.create', { path: 'top/of-bob' })).toBe('forbidden')
  expect(await code(ann, 'repository-group.create', { path: 'nowhere/x' })).toBe('not_found')
  for (const path of ['api', 'top/a b', 'top/..', ''])
    expect(['invalid_name', 'not_found']).toContain(await code(lab.root, 'repository-group.create', { path }))
  expect(await lab.call(bob, 'repository-group.get', { group: 'top' })).toMatchObject({ path: 'top', description: 'all', owner: 'ann' })
})

test('renaming a group renames everything below it in one commit, and nothing that only begins like it', async () => {
  for (const path of ['old', 'old/sub', 'older']) await lab.group(path)
  const made = await Promise.all(['old/a', 'old/sub/b', 'older/c'].map((path) => lab.make(path)))
  const serial = (await rowOf('repository-group', 'old')).serial
  expect(await lab.as<RepositoryGroupView>('repository-group.update', { group: 'old', path: 'new' })).toMatchObject({ path: 'new', serial })
  const paths = await Promise.all(made.map(async ({ id }) => (await lab.as<RepositoryView>('repository.get', { repository: id })).path))
  expect(paths).toEqual(['new/a', 'new/sub/b', 'older/c'])
  expect(await lab.as('repository-group.get', { group: 'new/sub' })).toMatchObject({ parent: 'new' })
  expect(await code(lab.root, 'repository-group.get', { group: 'old' })).toBe('not_found')
  expect(await lab.make('new/sub/later')).toMatchObject({ group: 'new/sub' })
})

test('a group is not moved below itself, onto a taken path, or so deep that a path below gets too long', async () => {
  for (const path of ['cycle', 'cycle/in', 'other']) await lab.group(path)
  await lab.make('cycle/in/r')
  await lab.make('taken-by-r')
  expect(await code(lab.root, 'repository-group.update', { group: 'cycle', path: 'cycle/in/cycle' })).toBe('invalid_name')
  expect(await code(lab.root, 'repository-group.update', { group: 'cycle', path: 'other' })).toBe('name_taken')
  expect(await code(lab.root, 'repository-group.update', { group: 'cycle', path: 'taken-by-r' })).toBe('name_taken')
  expect(await code(lab.root, 'repository-group.update', { group: 'cycle', path: 'x'.repeat(252) })).toBe('invalid_name')
  expect(await lab.as('repository-group.update', { group: 'cycle', path: 'other/cycle' })).toMatchObject({ parent: 'other' })
  expect(await lab.as('repository.get', { repository: 'other/cycle/in/r' })).toMatchObject({ group: 'other/cycle/in' })
})

test('a group that holds anything is not deleted; an empty one is, with its grants', async () => {
  await lab.group('full')
  await lab.make('full/r')
  await lab.grant(bob, 'repository-group', 'full', 'admin')
  expect(await code(bob, 'repository-group.delete', { group: 'full' })).toBe('in_use')
  await lab.as('repository.delete', { repository: 'full/r' })
  await lab.call(bob, 'repository-group.delete', { group: 'full' })
  await lab.group('full')
  expect(await code(bob, 'repository-group.update', { group: 'full', description: 'x' })).toBe('forbidden')
})

test('grants reach what exists already only by an explicit copy, to the kinds that are named', async () => {
  for (const path of ['tree', 'tree/sub']) await lab.group(path)
  await lab.make('tree/r')
  await lab.make('tree/sub/r')
  await lab.grant(ann, 'repository-group', 'tree', 'write')
  const levels = async () =>
    Promise.all(
      [await rowOf('repository', 'tree/r'), await rowOf('repository', 'tree/sub/r'), await rowOf('repository-group', 'tree/sub')].map(
        async ({ id }) => (await lab.store.reader.grants.one(id, ann.id))?.level,
      ),
    )
  expect(await levels()).toEqual([undefined, undefined, undefined])
  expect(await code(ann, 'repository-group.apply-permissions', { group: 'tree', kinds: 'both' })).toBe('forbidden')
  expect(await lab.as('repository-group.apply-permissions', { group: 'tree', kinds: 'repositories' })).toMatchObject({ changed: 2 })
  expect(await levels()).toEqual(['write', 'write', undefined])
  await lab.as('repository-group.apply-permissions', { group: 'tree', kinds: 'both', to: 'user:ann' })
  expect(await levels()).toEqual(['write', 'write', 'write'])
  await lab.store.write(async (tables) => void (await tables.grants.remove((await rowOf('repository-group', 'tree')).id, ann.id)))
  await lab.as('repository-group.apply-permissions', { group: 'tree', kinds: 'groups', to: 'user:ann' })
  expect(await levels()).toEqual(['write', 'write', undefined])
})

test('an organisation follows its group when that is renamed, and is not deleted under its users', async () => {
  await lab.group('org')
  await inside((ctx) => moveToOrganisation(ctx, ann.id, '', 'org'))
  await lab.make('org/before')
  await lab.as('repository-group.update', { group: 'org', path: 'firm' })
  expect((await lab.store.reader.users.byId(ann.id))?.organisation).toBe('firm')
  await lab.make('firm/after')
  for (const repository of ['firm/before', 'firm/after'])
    expect(await lab.call(ann, 'repository.get', { repository })).toMatchObject({ path: repository })
  for (const repository of ['firm/before', 'firm/after']) await lab.as('repository.delete', { repository })
  expect(await code(lab.root, 'repository-group.delete', { group: 'firm' })).toBe('in_use')
  await inside((ctx) => moveToOrganisation(ctx, ann.id, 'firm', ''))
  await lab.as('repository-group.delete', { group: 'firm' })
  expect(await lab.store.reader.resources.byName('group', 'members:firm')).toBeNull()
})

test('the members of an organisation read what was made in its group before there were any', async () => {
  await lab.group('late')
  await lab.make('late/r')
  expect(await code(bob, 'repository.get', { repository: 'late/r' })).toBe('not_found')
  await inside(async (ctx) => ctx.db.members.add((await membersGroup(ctx, await rowOf('repository-group', 'late'))).id, bob.id, 1))
  expect(await lab.call(bob, 'repository.get', { repository: 'late/r' })).toMatchObject({ path: 'late/r' })
})
