import { afterEach, beforeEach, expect, test } from 'vitest'
import { anonymous, call, faultOf, somebody } from '../../../test/support/people.ts'
import { testServices } from '../../../test/support/services.ts'
import { groupOperations } from '../identity/group-operations.ts'
import { memberOperations } from '../identity/member-operations.ts'
import { userOperations } from '../identity/user-operations.ts'
import { grantOperations } from './grant-operations.ts'
import { permissionOperations } from './permission-operations.ts'
import type { Answer } from '../../../test/support/people.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { Principal } from '../identity/principal.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

let lab: TestServices
let admin: Principal
let ann: Principal
let bob: Principal

beforeEach(async () => {
  lab = await testServices({ operations: [...grantOperations, ...permissionOperations, ...groupOperations, ...memberOperations, ...userOperations] })
  admin = await somebody(lab.services, 'root', { administrator: true })
  ann = await somebody(lab.services, 'ann')
  bob = await somebody(lab.services, 'bob')
  await repository('lab/weather', { owner_id: ann.id, private: true })
})
afterEach(() => lab.close())

const as = (who: Principal, operation: string, input: object = {}): Promise<Answer> => call(lab.services, who, operation, input)

function repository(name: string, more: Partial<ResourceRow> = {}) {
  const row = {
    id: `id-${name}`,
    kind: 'repository',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: '',
    spec: {},
    created_at: 0,
    updated_at: 0,
  }
  return lab.services.store.write((tables) => tables.resources.insert({ ...row, ...more }))
}

const on = 'repository:lab/weather'
const levelOf = async (who: Principal) =>
  as(who, 'permission.get', { on }).then(
    ({ level }) => level,
    (error: { code: string }) => error.code,
  )

test('an owner grants to users, groups and everyone; what was hidden before is seen at the level that was granted', async () => {
  expect(await levelOf(bob)).toBe('not_found')
  expect(await as(ann, 'grant.set', { to: 'user:BOB@lab.test', on, level: 'write', extras: ['logs', 'logs'] })).toMatchObject({
    to: 'user:bob',
    on,
    level: 'write',
    extras: ['logs'],
  })
  expect(await levelOf(bob)).toBe('write')
  expect(await as(ann, 'grant.delete', { to: 'user:bob', on })).toMatchObject({ deleted: true })
  expect(await as(ann, 'grant.delete', { to: 'user:bob', on })).toMatchObject({ deleted: false })
  expect(await levelOf(bob)).toBe('not_found')

  await as(admin, 'group.create', { name: 'dev' })
  await as(admin, 'group.add-member', { group: 'dev', user: 'bob' })
  await as(ann, 'grant.set', { to: 'group:dev', on, level: 'execute' })
  expect(await levelOf(bob)).toBe('execute')
  await as(admin, 'group.update', { group: 'dev', active: false })
  expect(await levelOf(bob)).toBe('not_found')
})

test('none is stored, listed and takes nothing away', async () => {
  await as(admin, 'group.create', { name: 'dev' })
  await as(admin, 'group.add-member', { group: 'dev', user: 'bob' })
  await as(ann, 'grant.set', { to: 'group:dev', on, level: 'read' })
  await as(ann, 'grant.set', { to: 'user:bob', on, level: 'none' })
  expect(await levelOf(bob)).toBe('read')
  expect((await as(ann, 'grant.list', { on })).items.map(({ to, level }: Answer) => `${to} ${level}`)).toEqual(['group:dev read', 'user:bob none'])
  await as(ann, 'grant.delete', { to: 'group:dev', on })
  expect(await levelOf(bob)).toBe('not_found')
})

test('everyone’s grant counts on public things only', async () => {
  await as(ann, 'grant.set', { to: 'everyone', on, level: 'read' })
  expect(await levelOf(bob)).toBe('not_found')
  await lab.services.store.write((tables) => tables.resources.update('id-lab/weather', { private: false }))
  expect(await levelOf(bob)).toBe('read')
})

test('only who administers a thing grants on it, and write is not enough', async () => {
  await faultOf(as(bob, 'grant.set', { to: 'user:bob', on, level: 'read' }), 'not_found')
  await as(ann, 'grant.set', { to: 'user:bob', on, level: 'write' })
  await faultOf(as(bob, 'grant.set', { to: 'user:bob', on, level: 'admin' }), 'forbidden')
  await faultOf(as(bob, 'grant.list', { on }), 'forbidden')
  await faultOf(as(anonymous, 'grant.set', { to: 'everyone', on, level: 'read' }), 'unauthenticated')
})

test('a whole kind is for administrators, and counts for what is made later', async () => {
  await faultOf(as(ann, 'grant.set', { to: 'user:bob', on: 'kind:repository', level: 'read' }), 'forbidden')
  expect(await as(admin, 'grant.set', { to: 'user:bob', on: 'kind:repository', level: 'execute' })).toMatchObject({ on: 'kind:repository' })
  await repository('lab/later', { private: true })
  expect((await as(bob, 'permission.get', { on: 'repository:lab/later' })).level).toBe('execute')
  expect((await as(bob, 'permission.list', { kind: 'repository' })).items).toHaveLength(2)
  for (const wrong of ['kind:user', 'kind:system', 'kind:', 'kind:nonsense'])
    await faultOf(as(admin, 'grant.set', { to: 'user:bob', on: wrong, level: 'read' }), 'not_found')
})

test('system permissions are extras of the system, and nobody administers it by a grant', async () => {
  await faultOf(as(ann, 'group.create', { name: 'anns' }), 'forbidden')
  await as(admin, 'grant.set', { to: 'user:ann', on: 'system:system', level: 'none', extras: ['group.create'] })
  expect((await as(ann, 'group.create', { name: 'anns' })).owner).toBe('ann')
  await faultOf(as(admin, 'grant.set', { to: 'user:ann', on: 'system:system', level: 'admin' }), 'invalid_input')
  await faultOf(as(admin, 'grant.set', { to: 'user:ann', on: 'system:system', level: 'none', extras: ['everything'] }), 'invalid_input')
  await faultOf(as(admin, 'grant.set', { to: 'user:ann', on, level: 'read', extras: ['group.create'] }), 'invalid_input')
  await faultOf(as(ann, 'grant.set', { to: 'user:ann', on: 'system:system', level: 'none', extras: ['user.create'] }), 'forbidden')
})

test('administrators grant on a namespace before its first use, in any of its spellings; to others it is not there', async () => {
  await faultOf(as(ann, 'grant.set', { to: 'user:ann', on: 'namespace:my_space', level: 'admin' }), 'not_found')
  expect(await as(admin, 'grant.set', { to: 'user:ann', on: 'namespace:My_Space', level: 'write' })).toMatchObject({ on: 'namespace:my-space' })
  const made = await lab.services.store.reader.resources.byName('namespace', 'my-space')
  expect(made).toMatchObject({ state: 'reserved', owner_id: null })
  expect((await as(ann, 'permission.get', { on: 'namespace:MY.SPACE' })).level).toBe('write')
  for (const name of ['default', 'kube-system', 'KUBE_system', '-x', 'x'.repeat(64), 'a/b', '']) {
    const error = await faultOf(as(admin, 'grant.set', { to: 'user:ann', on: `namespace:${name}`, level: 'read' }))
    expect(['invalid_name', 'not_found'], name).toContain(error.code)
  }
})

test('permission.get tells where a permission comes from', async () => {
  await as(admin, 'group.create', { name: 'dev' })
  await as(admin, 'group.add-member', { group: 'dev', user: 'bob' })
  await as(ann, 'grant.set', { to: 'group:dev', on, level: 'read', extras: ['logs'] })
  await as(ann, 'grant.set', { to: 'user:bob', on, level: 'write' })
  await as(admin, 'grant.set', { to: 'user:bob', on: 'kind:repository', level: 'read', extras: ['terminal'] })
  const told = await as(ann, 'permission.get', { on, user: 'bob' })
  expect(told).toMatchObject({ level: 'write', extras: ['logs', 'terminal'] })
  expect(told.sources.map(({ from, on: place, level }: Answer) => `${from} ${place} ${level}`).sort()).toEqual([
    `group:dev ${on} read`,
    'user:bob kind:repository read',
    `user:bob ${on} write`,
  ])
  expect((await as(ann, 'permission.get', { on })).sources.map(({ from }: Answer) => from)).toEqual(['owner'])
  expect((await as(admin, 'permission.get', { on })).sources.map(({ from }: Answer) => from)).toEqual(['administrator'])
  await faultOf(as(bob, 'permission.get', { on, user: 'ann' }), 'forbidden')
})

test('a list of permissions leaves out what the caller may not read, and shows it to administrators', async () => {
  await repository('open')
  await as(admin, 'grant.set', { to: 'everyone', on: 'repository:open', level: 'read' })
  const names = (page: Answer) => page.items.map(({ name, level }: Answer) => `${name} ${level}`)
  expect(names(await as(bob, 'permission.list', { kind: 'repository' }))).toEqual(['open read'])
  expect(names(await as(admin, 'permission.list', { kind: 'repository', user: 'bob' }))).toEqual(['lab/weather none', 'open read'])
})

test('what somebody holds is listed for administrators and oneself, and nobody else learns who exists', async () => {
  await as(ann, 'grant.set', { to: 'user:bob', on, level: 'read' })
  expect((await as(bob, 'grant.list', { to: 'user:bob' })).items).toMatchObject([{ on, level: 'read' }])
  expect((await as(admin, 'grant.list', { to: 'user:bob' })).items).toHaveLength(1)
  for (const to of ['user:ann', 'user:ghost', 'everyone']) await faultOf(as(bob, 'grant.list', { to }), 'forbidden')
  await faultOf(as(bob, 'grant.list', {}), 'invalid_input')
})

test('a group that holds grants is deleted only with force, and its grants go with it', async () => {
  await as(admin, 'group.create', { name: 'dev' })
  await as(admin, 'group.add-member', { group: 'dev', user: 'bob' })
  await as(ann, 'grant.set', { to: 'group:dev', on, level: 'read' })
  const refused = await faultOf(as(admin, 'group.delete', { group: 'dev' }), 'in_use')
  expect(refused.details).toEqual({ resources: [on], count: 1 })
  await as(admin, 'group.delete', { group: 'dev', force: true })
  expect(await levelOf(bob)).toBe('not_found')
  await as(admin, 'group.create', { name: 'dev' })
  expect((await as(admin, 'group.list-members', { group: 'dev' })).items).toEqual([])
})

test.each(['', ':', 'ann', 'user:', 'repository:x', 'kind:repository', 'group:ghost', 'user:ghost', 'system:system'])(
  'a grant to %j is refused',
  async (to) => {
    const error = await faultOf(as(ann, 'grant.set', { to, on, level: 'read' }))
    expect(['invalid_input', 'invalid_reference', 'not_found']).toContain(error.code)
  },
)
