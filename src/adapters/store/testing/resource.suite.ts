import { expect, test } from 'vitest'
import { allPages, expectDuplicate, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { resourceRow, userRow } from './rows.ts'

const admin = { userId: 'root', administrator: true }
const seeAll = { need: 'read', ownerIsAdmin: false } as const

export function resourceSuite(use: UseStore): void {
  test('a resource comes back member by member, with the next serial of its kind', async () => {
    const { store } = use()
    const row = resourceRow('repository', 'lab/weather', { owner_id: 'u', parent_id: 'p', private: true })
    const made = await store.write((t) => t.resources.insert(row))
    expect(made).toStrictEqual({ ...row, serial: 1, version: 1, deleted_at: null })
    expect((await store.write((t) => t.resources.insert(resourceRow('gist', 'g')))).serial).toBe(1)
    expect((await store.write((t) => t.resources.insert(resourceRow('repository', 'b')))).serial).toBe(2)
    for (const found of [
      await store.reader.resources.byId(row.id),
      await store.reader.resources.byName('repository', 'lab/weather'),
      await store.reader.resources.bySerial('repository', 1),
      (await store.reader.resources.byIds([row.id, 'x']))[0],
    ])
      expect(found).toStrictEqual(made)
  })

  test('a name is taken within its kind until the resource is deleted, and each change counts the version up', async () => {
    const { store } = use()
    const first = await store.write((t) => t.resources.insert(resourceRow('repository', 'a')))
    await store.write((t) => t.resources.insert(resourceRow('group', 'a')))
    await expectDuplicate(
      store.write((t) => t.resources.insert(resourceRow('repository', 'a'))),
      'resources.name',
    )
    const second = await store.write((t) => t.resources.insert(resourceRow('repository', 'b')))
    await expectDuplicate(
      store.write((t) => t.resources.update(second.id, { name: 'a' })),
      'resources.name',
    )
    await store.write((t) => t.resources.update(first.id, { state: 'broken', spec: { x: 1 }, updated_at: 9 }))
    expect(await store.reader.resources.byId(first.id)).toStrictEqual({ ...first, state: 'broken', spec: { x: 1 }, updated_at: 9, version: 2 })
    await store.write((t) => t.resources.markDeleted(first.id, 50))
    expect(await store.reader.resources.byName('repository', 'a')).toBeNull()
    expect((await store.reader.resources.byId(first.id))?.deleted_at).toBe(50)
    await store.write((t) => t.resources.update(second.id, { name: 'a' }))
    expect((await store.reader.resources.deletedBefore('repository', 51, 5)).map(({ id }) => id)).toEqual([first.id])
    expect(await store.reader.resources.deletedBefore('repository', 50, 5)).toEqual([])
    await store.write((t) => t.resources.remove(first.id))
    expect(await store.reader.resources.byId(first.id)).toBeNull()
  })

  test('a transaction may go on after a name was taken', async () => {
    const { store } = use()
    await store.write((t) => t.resources.insert(resourceRow('repository', 'a')))
    const made = await store.write(async (t) => {
      await expectDuplicate(t.resources.insert(resourceRow('repository', 'a')), 'resources.name')
      return t.resources.insert(resourceRow('repository', 'a-1'))
    })
    expect(await store.reader.resources.byName('repository', 'a-1')).toStrictEqual(made)
  })

  test('moving a prefix moves what is below it and nothing beside it', async () => {
    const { store } = use()
    for (const name of ['lab', 'lab/a', 'lab/b/c', 'lab2/a', 'labor', 'lab/\u{1f600}'])
      await store.write((t) => t.resources.insert(resourceRow('repository', name)))
    await store.write((t) => t.resources.movePrefix('repository', 'lab', 'new/place', 77))
    const names = (await allPages(2, (page) => store.reader.resources.page({ kind: 'repository' }, admin, seeAll, page))).map(({ name }) => name)
    expect(names).toEqual(['lab', 'lab2/a', 'labor', 'new/place/a', 'new/place/b/c', 'new/place/\u{1f600}'])
    expect((await store.reader.resources.byName('repository', 'new/place/a'))?.updated_at).toBe(77)
  })

  test('a page of resources obeys its filters, in byte order of names', async () => {
    const { store } = use()
    const parent = await store.write((t) => t.resources.insert(resourceRow('repository-group', 'Lab')))
    const names = ['Zeta', 'alpha', 'lab/100%_a', 'lab/Beta', 'lab/ärger', 'łódź']
    for (const name of names)
      await store.write((t) =>
        t.resources.insert(
          resourceRow('repository', name, { parent_id: name.startsWith('lab') ? parent.id : null, owner_id: name === 'Zeta' ? 'z' : null }),
        ),
      )
    const list = async (filter: object) =>
      (await allPages(2, (page) => store.reader.resources.page({ kind: 'repository', ...filter }, admin, seeAll, page))).map(({ name }) => name)
    expect(await list({})).toEqual(names)
    expect(await list({ parentId: parent.id })).toEqual(['lab/100%_a', 'lab/Beta', 'lab/ärger'])
    expect(await list({ parentId: null })).toEqual(['Zeta', 'alpha', 'łódź'])
    expect(await list({ prefix: 'lab/' })).toEqual(['lab/100%_a', 'lab/Beta', 'lab/ärger'])
    expect(await list({ search: '%_' })).toEqual(['lab/100%_a'])
    expect(await list({ search: 'bETA' })).toEqual(['lab/Beta'])
    expect(await list({ search: 'ÄRG' })).toEqual(['lab/ärger'])
    expect(await list({ ownerId: 'z' })).toEqual(['Zeta'])
    expect(await store.reader.resources.countChildren(parent.id)).toBe(3)
  })

  test('pages stay whole while rows come and go', async () => {
    const { store } = use()
    for (let i = 0; i < 30; i++) await store.write((t) => t.resources.insert(resourceRow('repository', `n${String(i).padStart(2, '0')}`)))
    let round = 0
    const seen = await allPages(7, async (page) => {
      const result = await store.reader.resources.page({ kind: 'repository' }, admin, seeAll, page)
      // Before and behind the place where the next page begins.
      await store.write((t) => t.resources.insert(resourceRow('repository', `a${round}`)))
      await store.write((t) => t.resources.insert(resourceRow('repository', `z${round++}`)))
      return result
    })
    const names = seen.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => name.startsWith('n'))).toHaveLength(30)
  })

  test('followers are listed by name, follow once, and go with the user or the resource', async () => {
    const { store } = use()
    const [bob, ann] = [await store.write((t) => t.users.insert(userRow('bob'))), await store.write((t) => t.users.insert(userRow('ann')))]
    const repository = await store.write((t) => t.resources.insert(resourceRow('repository', 'r')))
    const followers = async () => (await store.reader.followers.ofResource(repository.id)).map(({ name }) => name)
    expect(await store.write((t) => t.followers.add(repository.id, bob.id, 1))).toBe(true)
    expect(await store.write((t) => t.followers.add(repository.id, bob.id, 2))).toBe(false)
    await store.write((t) => t.followers.add(repository.id, ann.id, 3))
    expect(await followers()).toEqual(['ann', 'bob'])
    expect(await store.write((t) => t.followers.remove(repository.id, ann.id))).toBe(true)
    expect(await store.write((t) => t.followers.remove(repository.id, ann.id))).toBe(false)
    await store.write((t) => t.users.remove(bob.id))
    expect(await followers()).toEqual([])
    await store.write((t) => t.followers.add(repository.id, ann.id, 4))
    await store.write((t) => t.resources.remove(repository.id))
    expect(await followers()).toEqual([])
  })

  test('members and grants are set, listed, copied and removed', async () => {
    const { store } = use()
    const [ann, bob] = [await store.write((t) => t.users.insert(userRow('ann'))), await store.write((t) => t.users.insert(userRow('Bob')))]
    const group = await store.write((t) => t.resources.insert(resourceRow('group', 'dev')))
    const [from, to] = [
      await store.write((t) => t.resources.insert(resourceRow('x', 'f'))),
      await store.write((t) => t.resources.insert(resourceRow('x', 't'))),
    ]
    expect(await store.write((t) => t.members.add(group.id, bob.id, 1))).toBe(true)
    expect(await store.write((t) => t.members.add(group.id, bob.id, 1))).toBe(false)
    await store.write((t) => t.members.add(group.id, ann.id, 1))
    expect(await store.reader.members.ofGroup(group.id)).toStrictEqual([ann, bob])
    expect(await store.reader.members.groupsOf(bob.id)).toStrictEqual([group])
    expect(await store.reader.members.ofGroups([group.id, 'unknown'])).toStrictEqual(new Map([[group.id, [ann, bob]]]))
    expect(await store.write((t) => t.members.remove(group.id, bob.id))).toBe(true)
    expect(await store.write((t) => t.members.remove(group.id, bob.id))).toBe(false)

    const grant = {
      resource_id: from.id,
      subject_id: ann.id,
      subject_kind: 'user',
      level: 'write',
      extras: ['logs', 'terminal'],
      created_at: 3,
    } as const
    const row = { ...grant, extras: [...grant.extras] }
    await store.write((t) => t.grants.set(row))
    await store.write((t) => t.grants.set({ ...row, level: 'none', extras: [] }))
    expect(await store.reader.grants.one(from.id, ann.id)).toStrictEqual({ ...row, level: 'none', extras: [] })
    await store.write((t) => t.grants.set(row))
    await store.write((t) => t.grants.set({ ...row, subject_id: group.id, subject_kind: 'group' }))
    await store.write((t) => t.grants.copy(from.id, to.id, 9))
    expect(await store.reader.grants.ofResource(to.id)).toStrictEqual([
      { ...row, resource_id: to.id, subject_id: group.id, subject_kind: 'group', created_at: 9 },
      { ...row, resource_id: to.id, created_at: 9 },
    ])
    expect((await store.reader.grants.ofSubject(ann.id)).map(({ resource_id }) => resource_id).sort()).toEqual([from.id, to.id].sort())
    expect(await store.write((t) => t.grants.remove(to.id, ann.id))).toBe(true)
    expect(await store.write((t) => t.grants.remove(to.id, ann.id))).toBe(false)
    await store.write((t) => t.grants.removeSubject(group.id))
    await store.write((t) => t.grants.removeResource(from.id))
    expect([...(await store.reader.grants.ofResource(to.id)), ...(await store.reader.grants.ofResource(from.id))]).toEqual([])
  })

  test('secrets are kept once per scope, name and key, and lists do not hold the sealed value', async () => {
    const { store } = use()
    const row = { id: 's1', scope: '', name: 'db', key: 'value', sealed: 'S', created_at: 1, updated_at: 1, updated_by: 'u' }
    await store.write((t) => t.secrets.set(row))
    await store.write((t) => t.secrets.set({ ...row, id: 's2', sealed: 'T', updated_at: 2, updated_by: 'v' }))
    await store.write((t) => t.secrets.set({ ...row, id: 's3', scope: 'namespace:a', key: 'other' }))
    expect(await store.reader.secrets.get('', 'db', 'value')).toStrictEqual({ ...row, sealed: 'T', updated_at: 2, updated_by: 'v' })
    const listed = await allPages(1, (page) => store.reader.secrets.page({ scopes: ['', 'namespace:a'] }, page))
    expect(listed.map(({ scope }) => scope)).toEqual(['', 'namespace:a'])
    expect(listed.every((item) => !('sealed' in item))).toBe(true)
    expect((await store.reader.secrets.page({ scope: 'namespace:a' }, firstPage)).items).toHaveLength(1)
    expect((await store.reader.secrets.ofScopes(['', 'namespace:a'])).map(({ sealed }) => sealed)).toEqual(['T', 'S'])
    expect(await store.write((t) => t.secrets.remove('', 'db', 'no'))).toBe(0)
    expect(await store.write((t) => t.secrets.remove('', 'db', null))).toBe(1)
  })

  test('pushes open and close once, and are listed latest first', async () => {
    const { store } = use()
    const commands = [{ ref: 'refs/heads/main', from: null, to: 'abc' }]
    const push = (id: string, at: number) => ({
      id,
      repository_id: 'r',
      user_id: 'u',
      user: 'ann',
      state: 'open' as const,
      commands,
      changes: [],
      at,
    })
    for (let i = 0; i < 5; i++) await store.write((t) => t.pushes.open(push(`p${i}`, Math.floor(i / 2))))
    await store.write((t) => t.pushes.close('p0', 'done', commands))
    await store.write((t) => t.pushes.close('p0', 'failed', []))
    expect((await store.reader.pushes.openOnes()).map(({ id }) => id)).toEqual(['p1', 'p2', 'p3', 'p4'])
    const all = await allPages(2, (page) => store.reader.pushes.page('r', page))
    expect(all.map(({ id }) => id)).toEqual(['p4', 'p3', 'p2', 'p1', 'p0'])
    expect(all[4]).toStrictEqual({ ...push('p0', 0), state: 'done', changes: commands })
  })

  test('a setting is set, set once, and removed', async () => {
    const { store } = use()
    expect(await store.reader.settings.get('k')).toBeNull()
    const results = await Promise.all([1, 2, 3, 4].map((n) => store.write((t) => t.settings.setOnce('k', { n }))))
    expect(new Set(results.map((value) => JSON.stringify(value))).size).toBe(1)
    await store.write((t) => t.settings.set('k', { n: 9 }))
    expect(await store.reader.settings.get('k')).toStrictEqual({ n: 9 })
    await store.write((t) => t.settings.remove('k'))
    expect(await store.reader.settings.get('k')).toBeNull()
  })
}
