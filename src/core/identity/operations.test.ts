import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { anonymous, call, faultOf, from, origin, somebody, system } from '../../../test/support/people.ts'
import { testServices } from '../../../test/support/services.ts'
import { grantOperations } from '../access/grant-operations.ts'
import { permissionOperations } from '../access/permission-operations.ts'
import { auditOperations } from '../audit/operations.ts'
import { secretOperations } from '../secret/operations.ts'
import { apiKeyOperations } from './api-key-operations.ts'
import { bootstrapOperations } from './bootstrap-operations.ts'
import { ensureFirstStart } from './first-start.ts'
import { groupOperations } from './group-operations.ts'
import { identify } from './identify.ts'
import { memberOperations } from './member-operations.ts'
import { registerOperations } from './register-operations.ts'
import { roleOperations } from './role-operations.ts'
import { sessionOperations } from './session-operations.ts'
import { signingKeyOperations } from './signing-key-operations.ts'
import { userOperations } from './user-operations.ts'
import type { Answer } from '../../../test/support/people.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { NumberedEvent } from '../notify/event-hub.ts'
import type { Principal } from './principal.ts'

const operations = [
  ...sessionOperations,
  ...bootstrapOperations,
  ...registerOperations,
  ...roleOperations,
  ...userOperations,
  ...groupOperations,
  ...memberOperations,
  ...apiKeyOperations,
  ...signingKeyOperations,
  ...grantOperations,
  ...permissionOperations,
  ...secretOperations,
  ...auditOperations,
]
const password = 'Pw-test-12345'
let lab: TestServices
let admin: Principal
let ann: Principal
let bob: Principal

beforeEach(async () => {
  lab = await testServices({ operations })
  admin = await somebody(lab.services, 'root', { administrator: true })
  ann = await somebody(lab.services, 'ann')
  bob = await somebody(lab.services, 'bob')
})
afterEach(() => lab.close())

const as = (who: Principal, operation: string, input: object = {}, at = origin): Promise<Answer> => call(lab.services, who, operation, input, at)

describe('every operation, as nobody, a stranger, oneself and an administrator', () => {
  // What happens to an operation about ann, called by nobody, by bob, by ann, by an administrator. `ok`, or the code of the fault.
  const matrix: Record<string, [object, string, string, string, string]> = {
    'session.create': [
      { login: 'ann', password: 'wrong-wrong' },
      'invalid_credential',
      'invalid_credential',
      'invalid_credential',
      'invalid_credential',
    ],
    'session.get': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'session.delete': [{}, 'unauthenticated', 'state_conflict', 'state_conflict', 'state_conflict'],
    'session.describe': [{ token: 'x' }, 'invalid_credential', 'invalid_credential', 'invalid_credential', 'invalid_credential'],
    'session.reissue': [{ claims: {} }, 'unauthenticated', 'state_conflict', 'state_conflict', 'state_conflict'],
    'bootstrap.redeem': [{ token: 'x', name: 'x', password }, 'invalid_credential', 'invalid_credential', 'invalid_credential', 'invalid_credential'],
    'user.register': [{ name: 'default', password }, 'invalid_name', 'invalid_name', 'invalid_name', 'invalid_name'],
    'user.create': [{ name: 'new' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'user.get': [{ user: 'ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'user.list': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'user.update': [{ user: 'ann', first_name: 'Ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'user.set-password': [{ user: 'ann', password }, 'unauthenticated', 'not_found', 'forbidden', 'ok'],
    'user.disable': [{ user: 'ann' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'user.enable': [{ user: 'ann' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'user.delete': [{ user: 'ann', new_owner: 'bob' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'role.list': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'role.list-users': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'role.assign': [{ user: 'ann', role: 'analyst' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'group.create': [{ name: 'new' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'group.get': [{ group: 'anns' }, 'unauthenticated', 'ok', 'ok', 'ok'],
    'group.list': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'group.update': [{ group: 'anns', description: 'x' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'group.delete': [{ group: 'anns' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'group.add-member': [{ group: 'anns', user: 'bob' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'group.remove-member': [{ group: 'anns', user: 'bob' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'group.list-members': [{ group: 'anns' }, 'unauthenticated', 'ok', 'ok', 'ok'],
    'group.list-with-members': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
    'api-key.create': [{ label: 'x', user: 'ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'api-key.list': [{ user: 'ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'api-key.delete': [{ id: 'KEY' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'signing-key.create': [{ user: 'ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'signing-key.list': [{ user: 'ann' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'signing-key.delete': [{ user: 'ann', id: 'SIGNING' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'grant.set': [{ to: 'user:bob', on: 'group:anns', level: 'read' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'grant.delete': [{ to: 'user:bob', on: 'group:anns' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'grant.list': [{ on: 'group:anns' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'permission.get': [{ on: 'group:anns', user: 'bob' }, 'unauthenticated', 'forbidden', 'ok', 'ok'],
    'permission.list': [{ kind: 'group', user: 'ann' }, 'unauthenticated', 'forbidden', 'forbidden', 'ok'],
    'secret.set': [{ name: 'x', value: 'v', scope: 'namespace:anns' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'secret.list': [{ scope: 'namespace:anns' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'secret.delete': [{ name: 'known', scope: 'namespace:anns' }, 'unauthenticated', 'not_found', 'ok', 'ok'],
    'audit.list': [{}, 'unauthenticated', 'ok', 'ok', 'ok'],
  }

  test('the table names every operation', () => {
    expect(Object.keys(matrix).sort()).toEqual(operations.map(({ name }) => name).sort())
  })

  test.each(Object.keys(matrix))('%s', async (operation) => {
    const [input, ...expected] = matrix[operation] ?? [{}]
    await as(admin, 'group.create', { name: 'anns', owner: 'ann' })
    await as(admin, 'grant.set', { to: 'user:ann', on: 'namespace:anns', level: 'write' })
    await as(admin, 'secret.set', { name: 'known', value: 'v', scope: 'namespace:anns' })
    const results: string[] = []
    for (const who of [anonymous, bob, ann, admin]) {
      const key = await as(admin, 'api-key.create', { label: 'x', user: operation === 'api-key.delete' && who === admin ? 'bob' : 'ann' }).catch(
        () => ({ id: 'gone' }),
      )
      const signing = await as(admin, 'signing-key.create', { user: 'ann' }).catch(() => ({ id: 'gone' }))
      if (operation === 'secret.delete') await as(admin, 'secret.set', { name: 'known', value: 'v', scope: 'namespace:anns' })
      if (operation === 'group.delete' && who === admin) await as(admin, 'group.create', { name: 'anns' })
      const text = JSON.stringify(input).replace('KEY', key.id).replace('SIGNING', signing.id)
      results.push(
        await as(who, operation, JSON.parse(text)).then(
          () => 'ok',
          (error: { code?: string }) => error.code ?? String(error),
        ),
      )
    }
    expect(results).toEqual(expected)
  })
})

test('whoever may not know of a user cannot tell it from one that is not there', async () => {
  const hidden = await faultOf(as(bob, 'user.get', { user: 'ann' }), 'not_found')
  const missing = await faultOf(as(bob, 'user.get', { user: 'ghost' }), 'not_found')
  expect(hidden.message.replace('ann', 'ghost')).toBe(missing.message)
  expect([hidden.context.absence, missing.context.absence]).toEqual(['hidden', 'missing'])
})

describe('users', () => {
  test('a name is taken whatever its case, by a name or by an address, and a name with an @ is an address', async () => {
    const mira = await as(admin, 'user.create', { name: 'mira@lab.test' })
    expect(mira.email).toBe('mira@lab.test')
    for (const input of [
      { name: 'ANN' },
      { name: 'new', email: 'ANN@lab.test' },
      { name: 'ann@LAB.test' },
      { name: 'new', email: 'mira@lab.test' },
      { name: 'Mira@lab.test' },
    ])
      await faultOf(as(admin, 'user.create', input), 'name_taken')
    await faultOf(as(admin, 'user.update', { user: 'bob', name: 'Ann' }), 'name_taken')
    await faultOf(as(admin, 'user.update', { user: 'bob', email: 'ann@lab.test' }), 'name_taken')
    expect((await as(admin, 'user.update', { user: 'bob', name: 'BOB' })).name).toBe('BOB')
  })

  test.each(['--x', ';', '$(id)', '../x', 'a\nb', 'a\0b', 'a\u200fb', '42', 'default'])(
    'the name %j is refused for users, groups and sign-ups, and nothing is made',
    async (name) => {
      await faultOf(as(admin, 'user.create', { name }), 'invalid_name')
      await faultOf(as(admin, 'group.create', { name }), 'invalid_name')
      await faultOf(as(anonymous, 'user.register', { name, password }), 'invalid_name')
      await faultOf(as(admin, 'user.update', { user: 'bob', name }), 'invalid_name')
      expect((await as(admin, 'user.list')).items).toHaveLength(4)
    },
  )

  test('the last active administrator cannot be disabled, deleted or made an ordinary user', async () => {
    const last = ['user.disable', 'user.delete'] as const
    for (const operation of last) await faultOf(as(admin, operation, { user: 'root' }), 'state_conflict')
    await faultOf(as(admin, 'user.update', { user: 'root', administrator: false }), 'state_conflict')
    await as(admin, 'user.update', { user: 'ann', administrator: true })
    await as(admin, 'user.disable', { user: 'ann' })
    await faultOf(as(admin, 'user.disable', { user: 'root' }), 'state_conflict')
    await as(admin, 'user.enable', { user: 'ann' })
    expect((await as(admin, 'user.update', { user: 'root', administrator: false })).administrator).toBe(false)
  })

  test('of two administrators who disable each other at once one stays', async () => {
    await as(admin, 'user.update', { user: 'ann', administrator: true })
    const both = await Promise.allSettled([as(admin, 'user.disable', { user: 'ann' }), as(admin, 'user.disable', { user: 'root' })])
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('oneself may change names, not what makes one somebody else', async () => {
    expect(await as(ann, 'user.update', { user: 'ann', first_name: 'Ann', last_name: 'O', name: 'annie' })).toMatchObject({
      name: 'annie',
      first_name: 'Ann',
    })
    for (const change of [
      { administrator: true },
      { organisation: '' },
      { email: 'x@lab.test' },
      { networks: [] },
      { service: true },
      { name: 'x@lab.test' },
    ])
      await faultOf(as(ann, 'user.update', { user: 'annie', ...change }), 'forbidden')
  })

  test('a manager of users manages all but administrators, and makes none', async () => {
    await as(admin, 'grant.set', { to: 'user:bob', on: 'system:system', level: 'none', extras: ['user.create', 'user.manage'] })
    expect((await as(bob, 'user.create', { name: 'new' })).name).toBe('new')
    await faultOf(as(bob, 'user.create', { name: 'boss', administrator: true }), 'forbidden')
    expect((await as(bob, 'user.disable', { user: 'ann' })).active).toBe(false)
    expect((await as(bob, 'user.get', { user: 'root' })).administrator).toBe(true)
    await faultOf(as(bob, 'user.disable', { user: 'root' }), 'forbidden')
    await faultOf(as(bob, 'user.set-password', { user: 'root', password }), 'forbidden')
    await faultOf(as(bob, 'role.assign', { user: 'root', role: 'analyst' }), 'forbidden')
    // Workflows act as their owners: what a manager owns or takes away must not become an administrator's.
    await faultOf(as(bob, 'user.delete', { user: 'ann', new_owner: 'root' }), 'forbidden')
    await faultOf(as(bob, 'user.update', { user: 'ann', administrator: true }), 'forbidden')
    await faultOf(as(bob, 'user.update', { user: 'ann', role: 'administrator' }), 'forbidden')
    await faultOf(as(bob, 'user.disable', { user: 'default' }), 'not_found')
    expect((await as(bob, 'user.list')).items.length).toBeGreaterThan(1)
  })

  test('a role comes with what else is changed or made, or nothing does', async () => {
    const roles = async () =>
      Object.fromEntries((await as(admin, 'role.list-users')).items.map(({ name, role }: { name: string; role: unknown }) => [name, role]))
    await faultOf(as(admin, 'user.update', { user: 'ann', name: 'root', role: 'administrator' }), 'name_taken')
    await faultOf(as(admin, 'user.update', { user: 'ann', role: 'analyst', administrator: true }), 'malformed_request')
    expect((await roles()).ann).toBeNull()
    await as(admin, 'user.update', { user: 'ann', first_name: 'Ann', role: 'analyst' })
    await as(admin, 'user.create', { name: 'cy', role: 'analyst' })
    expect(await roles()).toMatchObject({ ann: 'analyst', cy: 'analyst' })
    expect(await as(admin, 'user.update', { user: 'ann', role: 'administrator' })).toMatchObject({ administrator: true })
    expect((await roles()).ann).toBe('administrator')
    await as(admin, 'user.update', { user: 'ann', role: null })
    expect((await roles()).ann).toBeNull()
    await faultOf(as(admin, 'user.update', { user: 'root', role: null }), 'state_conflict')
  })

  test('who may make users gives them no role, and nobody a role to themselves', async () => {
    await as(admin, 'grant.set', { to: 'user:bob', on: 'system:system', level: 'none', extras: ['user.create'] })
    await faultOf(as(bob, 'user.create', { name: 'dot', role: 'analyst' }), 'forbidden')
    await faultOf(as(bob, 'user.get', { user: 'dot' }), 'not_found')
    await faultOf(as(ann, 'user.update', { user: 'ann', role: 'analyst' }), 'forbidden')
  })

  test('disabling tells followers at once', async () => {
    const heard: NumberedEvent[] = []
    lab.services.events.subscribe((event) => heard.push(event))
    await as(admin, 'user.disable', { user: 'ann' })
    expect(heard).toMatchObject([{ kind: 'user', name: 'ann', state: 'disabled', user_id: ann.id }])
  })

  test('who owns things is deleted only with a new owner', async () => {
    await as(admin, 'group.create', { name: 'anns', owner: 'ann' })
    const refused = await faultOf(as(admin, 'user.delete', { user: 'ann' }), 'in_use')
    expect(refused.details).toEqual({ owns: ['group:anns'], count: 1 })
    await as(admin, 'user.delete', { user: 'ann', new_owner: 'bob' })
    expect((await as(admin, 'group.get', { group: 'anns' })).owner).toBe('bob')
    await faultOf(as(admin, 'user.get', { user: 'ann' }), 'not_found')
  })

  test('the built-in user can be disabled and take networks, nothing else', async () => {
    expect(await as(admin, 'user.get', { user: 'default' })).toMatchObject({ serial: 1, kind: 'builtin' })
    for (const [operation, input] of [
      ['user.update', { name: 'x' }],
      ['user.update', { password }],
      ['user.set-password', { password }],
      ['user.delete', {}],
      ['api-key.create', { label: 'x' }],
    ] as const)
      await faultOf(as(admin, operation, { user: 'default', ...input }), 'state_conflict')
    expect((await as(admin, 'user.disable', { user: 'default' })).active).toBe(false)
  })

  test('one’s own password needs the old one, or a session of the last ten minutes', async () => {
    await as(admin, 'user.set-password', { user: 'ann', password })
    await faultOf(as(ann, 'user.set-password', { password: 'Another-12345' }), 'forbidden')
    await faultOf(as(ann, 'user.set-password', { password: 'Another-12345', old_password: 'wrong' }), 'invalid_credential')
    await as(ann, 'user.set-password', { password: 'Another-12345', old_password: password })
    const { token } = await as(anonymous, 'session.create', { login: 'ann', password: 'Another-12345' })
    const signedIn = await identify(lab.services, { form: 'bearer', token }, origin)
    await as(signedIn, 'user.set-password', { password: 'A-third-12345' })
    expect(await identify(lab.services, { form: 'bearer', token }, origin)).toMatchObject({ name: 'ann' })
    await as(admin, 'user.set-password', { user: 'ann', password })
    await faultOf(identify(lab.services, { form: 'bearer', token }, origin), 'invalid_credential')
  })

  test('an organisation is a group of repositories, and its users are a group that follows', async () => {
    await faultOf(as(admin, 'user.update', { user: 'ann', organisation: 'lab' }), 'not_found')
    await lab.services.store.write((tables) =>
      tables.resources.insert({
        id: 'rg1',
        kind: 'repository-group',
        name: 'lab',
        owner_id: null,
        parent_id: null,
        private: false,
        active: true,
        state: '',
        spec: {},
        created_at: 0,
        updated_at: 0,
      }),
    )
    const names = async () => (await as(admin, 'group.list-members', { group: 'members:lab' })).items.map(({ name }: Answer) => name)
    await as(admin, 'user.update', { user: 'ann', organisation: 'lab' })
    await as(admin, 'user.create', { name: 'carl', organisation: 'lab' })
    expect(await names()).toEqual(['ann', 'carl'])
    for (const [operation, input] of [
      ['group.add-member', { user: 'bob' }],
      ['group.remove-member', { user: 'ann' }],
      ['group.update', { name: 'x' }],
      ['group.delete', {}],
    ] as const)
      await faultOf(as(admin, operation, { group: 'group:members:lab', ...input }), 'state_conflict')
    await as(admin, 'user.update', { user: 'ann', organisation: '' })
    expect(await names()).toEqual(['carl'])
  })
})

describe('signing up', () => {
  const withRegistration = async (registration: 'approval' | 'first' | 'open' | 'closed') => {
    await lab.close()
    lab = await testServices({ operations, settings: { registration } })
  }

  test('approval: waits, cannot sign in, and an administrator lets in', async () => {
    const { user, token } = await as(anonymous, 'user.register', { name: 'new', password })
    expect(user).toMatchObject({ active: false, pending: true, administrator: false })
    await faultOf(as(anonymous, 'session.create', { login: 'new', password }), 'account_inactive')
    await faultOf(identify(lab.services, { form: 'bearer', token }, origin), 'invalid_credential')
    await as(admin, 'user.enable', { user: 'new' })
    expect((await as(anonymous, 'session.create', { login: 'new', password })).user).toMatchObject({ active: true, pending: false })
  })

  test('open: may sign in at once; closed: nobody may sign up', async () => {
    await withRegistration('open')
    expect((await as(anonymous, 'user.register', { name: 'new', password })).user).toMatchObject({ active: true, administrator: false })
    await withRegistration('closed')
    await faultOf(as(anonymous, 'user.register', { name: 'new', password }), 'registration_closed')
  })

  test('first: the very first from this machine administers, from elsewhere nobody, and only one', async () => {
    await withRegistration('first')
    expect((await as(anonymous, 'user.register', { name: 'far', password }, from('192.0.2.1'))).user).toMatchObject({
      pending: true,
      administrator: false,
    })
    await withRegistration('first')
    const two = await Promise.all(['one', 'two'].map((name) => as(anonymous, 'user.register', { name, password }, from('127.0.0.1'))))
    expect(two.map(({ user }) => user.administrator).sort()).toEqual([false, true])
  })

  test('many sign-ups from one address are slowed down', async () => {
    for (let i = 0; i < 10; i++) await as(anonymous, 'user.register', { name: `new${i}`, password })
    await faultOf(as(anonymous, 'user.register', { name: 'another', password }), 'rate_limited')
    expect((await as(anonymous, 'user.register', { name: 'another', password }, from('198.51.100.1'))).user.name).toBe('another')
  })
})

describe('first start', () => {
  test('the token of the link makes one administrator, once', async () => {
    await lab.close()
    lab = await testServices({ operations })
    const token = lab.bootstrapToken ?? ''
    expect(token).toMatch(/^[A-Za-z0-9]{40}$/)
    await faultOf(as(anonymous, 'bootstrap.redeem', { token: `${token}x`, name: 'boss', password }), 'invalid_credential')
    await faultOf(as(anonymous, 'bootstrap.redeem', { token, name: 'boss', password: 'short' }), 'invalid_name')
    const results = await Promise.allSettled(['boss', 'thief'].map((name) => as(anonymous, 'bootstrap.redeem', { token, name, password })))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await faultOf(as(anonymous, 'bootstrap.redeem', { token, name: 'late', password }), 'invalid_credential')
    expect((await ensureFirstStart(lab.services, { admin: null })).bootstrapToken).toBeNull()
  })

  test('each start without an administrator has a new token, and the old one is worth nothing', async () => {
    await lab.close()
    lab = await testServices({ operations })
    const again = await ensureFirstStart(lab.services, { admin: null })
    expect(again.bootstrapToken).not.toBe(lab.bootstrapToken)
    await faultOf(as(anonymous, 'bootstrap.redeem', { token: lab.bootstrapToken, name: 'boss', password }), 'invalid_credential')
    expect((await as(anonymous, 'bootstrap.redeem', { token: again.bootstrapToken, name: 'boss', password })).user.administrator).toBe(true)
  })

  test('the configured administrator is made once with its key, and a later configuration changes no account', async () => {
    await lab.close()
    lab = await testServices({ operations })
    const apiKey = 'k3y'.padEnd(40, 'A')
    const admin = { name: 'boss', password, email: 'boss@lab.test', apiKey }
    expect((await ensureFirstStart(lab.services, { admin })).bootstrapToken).toBeNull()
    await ensureFirstStart(lab.services, { admin: { ...admin, password: 'Changed-12345' } })
    const boss = await identify(lab.services, { form: 'bearer', token: apiKey }, origin)
    expect(boss).toMatchObject({ name: 'boss', administrator: true })
    expect(await as(boss, 'user.get', { user: 'boss' })).toMatchObject({ serial: 2, email: 'boss@lab.test' })
    expect((await as(anonymous, 'session.create', { login: 'boss', password })).user.name).toBe('boss')
    await faultOf(as(anonymous, 'session.create', { login: 'boss', password: 'Changed-12345' }), 'invalid_credential')
    expect((await as(system, 'audit.list', { subject: 'user:boss' })).items.length).toBeGreaterThan(0)
  })
})
