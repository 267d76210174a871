import { expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import { allPages, expectDuplicate, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { auditRow, resourceRow, userRow } from './rows.ts'

export function identitySuite(use: UseStore): void {
  test('a user comes back member by member, by id, serial, name and login', async () => {
    const { store } = use()
    const row = userRow('Ann', { email: 'Ann@Example.org', password_hash: 'x', last_sign_in_at: 7 })
    const made = await store.write((t) => t.users.insert(row))
    expect(made).toStrictEqual({ ...row, serial: 1 })
    expect(await store.reader.users.byId(row.id)).toStrictEqual(made)
    expect(await store.reader.users.bySerial(1)).toStrictEqual(made)
    expect(await store.reader.users.byName('aNN')).toStrictEqual(made)
    expect(await store.reader.users.byLogin('ann')).toStrictEqual(made)
    expect(await store.reader.users.byLogin('ANN@example.ORG')).toStrictEqual(made)
    expect(await store.reader.users.byName('ann@example.org')).toBeNull()
    expect(await store.reader.users.byIds([row.id, 'unknown'])).toStrictEqual([made])
    expect(await store.reader.users.byId('unknown')).toBeNull()
  })

  test('a name or address that differs in case only is taken', async () => {
    const { store } = use()
    await store.write((t) => t.users.insert(userRow('Änne', { email: 'a@x' })))
    await expectDuplicate(
      store.write((t) => t.users.insert(userRow('äNNE'))),
      'users.name',
    )
    await expectDuplicate(
      store.write((t) => t.users.insert(userRow('bob', { email: 'A@X' }))),
      'users.email',
    )
    const bob = await store.write((t) => t.users.insert(userRow('bob', { email: 'b@x' })))
    await expectDuplicate(
      store.write((t) => t.users.update(bob.id, { name: 'ÄNNE' })),
      'users.name',
    )
    await expectDuplicate(
      store.write((t) => t.users.update(bob.id, { email: 'a@X' })),
      'users.email',
    )
    expect(await store.reader.users.byId(bob.id)).toStrictEqual(bob)
  })

  test('the name of one user cannot be the address of another, whichever comes first', async () => {
    const { store } = use()
    const ann = await store.write((t) => t.users.insert(userRow('ann@x', { email: 'ann@x' })))
    await expectDuplicate(
      store.write((t) => t.users.insert(userRow('bob', { email: 'ANN@x' }))),
      'users.email',
    )
    const carl = await store.write((t) => t.users.insert(userRow('carl', { email: 'carl@x' })))
    await expectDuplicate(
      store.write((t) => t.users.insert(userRow('Carl@x'))),
      'users.name',
    )
    await expectDuplicate(
      store.write((t) => t.users.update(ann.id, { name: 'CARL@x' })),
      'users.name',
    )
    await expectDuplicate(
      store.write((t) => t.users.update(carl.id, { email: 'Ann@x' })),
      'users.email',
    )
  })

  test('of many sign-ups at once under one name exactly one is made', async () => {
    const { store } = use()
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => store.write((t) => t.users.insert(i % 2 ? userRow('eve@x') : userRow(`user${i}`, { email: 'eve@x' })))),
    )
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  })

  test('serials count up without a gap or a twin, behind those that were given', async () => {
    const { store } = use()
    await store.write((t) => t.users.insert({ ...userRow('default'), serial: 1 }))
    const made = await Promise.all(Array.from({ length: 10 }, (_, i) => store.write((t) => t.users.insert(userRow(`u${i}`)))))
    expect(made.map((user) => user.serial).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('users are listed by name and kind, and administrators are counted', async () => {
    const { store } = use()
    for (const name of ['b', 'A', 'c', 'D']) await store.write((t) => t.users.insert(userRow(name, { administrator: name === 'c' })))
    const robot = await store.write((t) => t.users.insert(userRow('robot', { kind: 'service', administrator: true, active: false })))
    const all = await allPages(2, (page) => store.reader.users.page({ kinds: ['user'] }, page))
    expect(all.map((user) => user.name)).toEqual(['A', 'b', 'c', 'D'])
    expect((await store.reader.users.page({ only: robot.id }, firstPage)).items).toStrictEqual([robot])
    expect(await store.reader.users.administrators()).toBe(1)
  })

  test('a removed user takes sessions, keys, memberships and grants along', async () => {
    const { store } = use()
    const user = await store.write((t) => t.users.insert(userRow('ann')))
    const group = await store.write((t) => t.resources.insert(resourceRow('group', 'dev')))
    await store.write(async (t) => {
      await t.sessions.insert({ id: 's', user_id: user.id, created_at: 1, expires_at: 9, ended_at: null, via: 'native', peer: '' })
      await t.apiKeys.insert({
        id: 'k',
        user_id: user.id,
        label: '',
        public_key: 'p',
        secret_hash: 'h',
        scopes: null,
        created_at: 1,
        expires_at: null,
        last_used_at: null,
      })
      await t.signingKeys.insert({ id: 'g', user_id: user.id, sealed: 'x', created_at: 1 })
      await t.members.add(group.id, user.id, 1)
      await t.grants.set({ resource_id: group.id, subject_id: user.id, subject_kind: 'user', level: 'read', extras: [], created_at: 1 })
    })
    await store.write((t) => t.users.remove(user.id))
    const { reader } = store
    expect([await reader.sessions.byId('s'), await reader.apiKeys.byId('k'), await reader.users.byId(user.id)]).toEqual([null, null, null])
    expect([await reader.signingKeys.ofUser(user.id), await reader.members.ofGroup(group.id), await reader.grants.ofResource(group.id)]).toEqual([
      [],
      [],
      [],
    ])
  })

  test('sessions end once, all at once, and are pruned when they have expired', async () => {
    const { store } = use()
    const user = await store.write((t) => t.users.insert(userRow('ann')))
    const session = (id: string, expires_at: number) => ({
      id,
      user_id: user.id,
      created_at: 1,
      expires_at,
      ended_at: null,
      via: 'native',
      peer: '::1',
    })
    await store.write(async (t) => {
      for (const [id, expiry] of [['a', 10] as const, ['b', 20] as const, ['c', 30] as const]) await t.sessions.insert(session(id, expiry))
    })
    await store.write((t) => t.sessions.end('a', 5))
    await store.write((t) => t.sessions.endAll(user.id, 7))
    expect(await store.reader.sessions.byId('a')).toStrictEqual({ ...session('a', 10), ended_at: 5 })
    expect((await store.reader.sessions.byId('b'))?.ended_at).toBe(7)
    expect(await store.write((t) => t.sessions.prune(20, 10))).toBe(1)
    expect(await store.reader.sessions.byId('a')).toBeNull()
    expect([await store.write((t) => t.sessions.prune(99, 1)), await store.write((t) => t.sessions.prune(99, 5))]).toEqual([1, 1])
  })

  test('API keys and signing keys are found by hash and by user', async () => {
    const { store } = use()
    const user = await store.write((t) => t.users.insert(userRow('ann')))
    const key = (id: string) => ({
      id,
      user_id: user.id,
      label: 'ci',
      public_key: `p${id}`,
      secret_hash: `h${id}`,
      scopes: null,
      created_at: Number(id),
      expires_at: 4,
      last_used_at: null,
    })
    await store.write((t) => t.apiKeys.insert(key('2')))
    await store.write((t) => t.apiKeys.insert(key('1')))
    await expectDuplicate(
      store.write((t) => t.apiKeys.insert({ ...key('3'), secret_hash: 'h1' })),
      'apiKeys.secret_hash',
    )
    await store.write((t) => t.apiKeys.touch('1', 77))
    expect(await store.reader.apiKeys.byHash('h1')).toStrictEqual({ ...key('1'), last_used_at: 77 })
    expect((await store.reader.apiKeys.ofUser(user.id)).map(({ id }) => id)).toEqual(['1', '2'])
    await store.write((t) => t.apiKeys.remove('1'))
    expect(await store.reader.apiKeys.byId('1')).toBeNull()
    const signing = { id: 's', user_id: user.id, sealed: 'sealed', created_at: 3 }
    await store.write((t) => t.signingKeys.insert(signing))
    expect(await store.reader.signingKeys.ofUser(user.id)).toStrictEqual([signing])
    await store.write((t) => t.signingKeys.remove('s'))
    expect(await store.reader.signingKeys.ofUser(user.id)).toEqual([])
  })

  test('audit lines are listed latest first by each of their filters, and open intents are those without an outcome', async () => {
    const { store } = use()
    const rows = Array.from({ length: 25 }, (_, i) =>
      auditRow({
        at: 1000 + Math.floor(i / 3),
        actor_id: `u${i % 2}`,
        actor: `n${i % 2}`,
        operation: `o${i % 3}`,
        subject: `s${i % 4}`,
        subject_id: i % 5 ? `i${i % 5}` : null,
      }),
    )
    await store.write((t) => t.audit.append(rows))
    const newest = [...rows].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    expect(await allPages(7, (page) => store.reader.audit.page({}, page))).toStrictEqual(newest)
    const some = await allPages(2, (page) => store.reader.audit.page({ actorId: 'u1', actor: 'n1', since: 1003 }, page))
    expect(some).toStrictEqual(newest.filter((row) => row.actor_id === 'u1' && row.at >= 1003))
    const few = await store.reader.audit.page({ operation: 'o1', subject: 's1', subjectId: 'i1' }, firstPage)
    expect(few.items).toStrictEqual(newest.filter((row) => row.operation === 'o1' && row.subject === 's1' && row.subject_id === 'i1'))
    const [open, closed] = [auditRow({ outcome: 'intent', at: 1 }), auditRow({ outcome: 'intent', at: 2 })]
    await store.write((t) => t.audit.append([open, closed, auditRow({ intent_id: closed.id })]))
    expect(await store.reader.audit.openIntents()).toStrictEqual([open])
  })

  test('a cursor that does not fit the list is refused and reaches no statement', async () => {
    const { store } = use()
    for (const after of [['x'], [1], ['1', 'a'], [1.5, 'a'], [1, 'a', 'b']])
      await expect(store.reader.audit.page({}, { limit: 5, after })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(store.reader.users.page({}, { limit: 5, after: [7] })).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test('texts with a NUL are found again as they were kept', async () => {
    const { store } = use()
    const row = userRow('nul', { first_name: 'a\0b' })
    await store.write((t) => t.users.insert(row))
    expect((await store.reader.users.byId(row.id))?.first_name).toBe('a\u{fffd}b')
    expect(await store.reader.users.byLogin('x\0y')).toBeNull()
    expect(systemIds.record()).toBeTruthy()
  })
}
