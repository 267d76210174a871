import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { grant } from './grants.ts'
import { purgeKeptAside, sweepRepositories } from './storage.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { RepositoryView } from './view.ts'

let lab: RepositoryLab
let ann: Principal
let bob: Principal

beforeAll(async () => {
  lab = await openRepositoryLab()
  ann = await lab.user('ann')
  bob = await lab.user('bob')
  await lab.group('lab')
  await lab.grant(ann, 'repository-group', 'lab', 'write')
})
afterAll(() => lab.close())

const get = (principal: Principal, repository: string) => lab.call<RepositoryView>(principal, 'repository.get', { repository })
const code = async (principal: Principal, operation: string, input: unknown) => (await lab.refused(principal, operation, input)).code
const grantsOf = async (path: string) => {
  const row = await lab.store.reader.resources.byName('repository', path)
  return lab.store.reader.grants.ofResource(row?.id ?? '')
}

describe('making repositories', () => {
  test('gives what callers need, private unless said otherwise, owned by who made it', async () => {
    const made = await lab.call<RepositoryView>(ann, 'repository.create', { path: 'lab/first', description: 'one' })
    expect(made).toMatchObject({
      path: 'lab/first',
      name: 'first',
      group: 'lab',
      kind: 'git',
      private: true,
      description: 'one',
      clone_url: 'http://capstan.test/lab/first',
      default_branch: 'master',
      owner: 'ann',
      fork_of: null,
      last_commit: null,
    })
    expect(made.serial).toBeGreaterThan(0)
    expect(await lab.git.exists(made.id)).toBe(true)
    expect(await get(ann, `repository:${made.id}`)).toEqual(made)
  })

  test('the address of a name in another script is encoded', async () => {
    const made = await lab.make('lab/größe')
    expect(made.clone_url).toBe('http://capstan.test/lab/gr%C3%B6%C3%9Fe')
  })

  test('in a group it needs write on the group; a group that is missing or hidden is not found; the top level needs the system permission', async () => {
    await lab.group('shut', { copy_permissions: false })
    await lab.store.write(async (tables) => {
      const row = await tables.resources.byName('repository-group', 'shut')
      if (row) await tables.grants.removeResource(row.id)
    })
    expect(await code(bob, 'repository.create', { path: 'lab/x' })).toBe('forbidden')
    const hidden = await lab.refused(bob, 'repository.create', { path: 'shut/x' })
    expect([hidden.code, hidden.context.absence, hidden.context.kind]).toEqual(['not_found', 'hidden', 'repository-group'])
    const missing = await lab.refused(lab.root, 'repository.create', { path: 'nowhere/x' })
    expect([missing.code, missing.context.absence, missing.context.kind]).toEqual(['not_found', 'missing', 'repository-group'])
    await lab.call(bob, 'repository.create', { path: 'top-of-bob' })
    expect(await code(lab.anonymous, 'repository.create', { path: 'top' })).toBe('unauthenticated')
  })

  test('without the system permission nobody but administrators makes one at the top level', async () => {
    const { grants } = lab.store.reader
    const { systemResourceId, everyoneId } = await import('../kernel/builtin.ts')
    const row = await grants.one(systemResourceId, everyoneId)
    if (!row) throw new Error('no default')
    await lab.store.write((tables) => tables.grants.set({ ...row, extras: [] }))
    try {
      expect(await code(bob, 'repository.create', { path: 'not-for-bob' })).toBe('forbidden')
      await lab.make('for-root')
    } finally {
      await lab.store.write((tables) => tables.grants.set(row))
    }
  })

  test('hostile names and inputs are refused, and nothing is left of them', async () => {
    const before = (await lab.git.list()).length
    for (const path of [
      '',
      '/x',
      'lab/',
      'lab/..',
      'lab/../x',
      'lab/-x',
      'lab/.h',
      'lab/a b',
      'lab/_12',
      'lab/rm__x',
      '_admin',
      'api/x',
      'lab/a\u202eb',
      `lab/${'x'.repeat(300)}`,
    ])
      expect(['invalid_name', 'not_found'], path).toContain(await code(lab.root, 'repository.create', { path }))
    for (const path of [[], { a: 1 }, null, 7]) expect(await code(lab.root, 'repository.create', { path })).toBe('invalid_input')
    expect((await lab.git.list()).length).toBe(before)
  })

  test('a repository and a group cannot share a path, and names are told apart by case', async () => {
    await lab.make('lab/taken')
    expect(await code(lab.root, 'repository.create', { path: 'lab/taken' })).toBe('name_taken')
    expect(await code(lab.root, 'repository-group.create', { path: 'lab/taken' })).toBe('name_taken')
    await lab.group('lab/below')
    expect(await code(lab.root, 'repository.create', { path: 'lab/below' })).toBe('name_taken')
    await lab.make('lab/Taken')
  })

  test('two creations of one path at the same time leave one repository and one storage', async () => {
    const before = (await lab.git.list()).length
    const made = await Promise.allSettled([lab.make('lab/twice'), lab.make('lab/twice'), lab.make('lab/twice')])
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await lab.git.list()).length).toBe(before + 1)
  })

  test('a creation that fails after its storage was made leaves nothing behind', async () => {
    const before = await lab.git.list()
    const broken = lab.call(ann, 'repository.create', { path: 'lab/broken', default_branch: 'a..b' })
    await expect(broken).rejects.toMatchObject({ code: 'invalid_name' })
    const write = lab.store.write
    Object.assign(lab.store, { write: () => Promise.reject(new Error('the disk is full')) })
    try {
      expect(await code(ann, 'repository.create', { path: 'lab/broken' })).toBe('internal')
    } finally {
      Object.assign(lab.store, { write })
    }
    expect(await lab.git.list()).toEqual(before)
    await lab.make('lab/broken')
  })

  test('only administrators name an owner', async () => {
    expect(await code(ann, 'repository.create', { path: 'lab/of-bob', owner: 'bob' })).toBe('forbidden')
    expect(await code(lab.root, 'repository.create', { path: 'lab/of-nobody', owner: 'nobody' })).toBe('not_found')
    expect(await lab.make('lab/of-bob', { owner: 'user:bob' })).toMatchObject({ owner: 'bob' })
    await lab.call(bob, 'repository.delete', { repository: 'lab/of-bob' })
  })
})

describe('grants at creation', () => {
  test('those of the group are copied, later ones of the group do not count', async () => {
    await lab.make('lab/copied', { private: false })
    expect((await grantsOf('lab/copied')).map(({ subject_id, level }) => [subject_id, level])).toContainEqual([ann.id, 'write'])
    await lab.grant(bob, 'repository-group', 'lab', 'admin')
    expect(await code(bob, 'repository.update', { repository: 'lab/copied', description: 'x' })).toBe('forbidden')
    await lab.store.write(
      async (tables) => void (await tables.grants.remove((await tables.resources.byName('repository-group', 'lab'))?.id ?? '', bob.id)),
    )
  })

  test('without copying it begins with what everyone gets by default', async () => {
    await lab.make('lab/default', { private: false, copy_permissions: false })
    expect((await grantsOf('lab/default')).map(({ level }) => level)).toEqual(['read'])
    expect(await code(ann, 'repository.update', { repository: 'lab/default', description: 'x' })).toBe('forbidden')
  })

  test('private masks what everyone has, the owner keeps everything, and taking private off gives it back', async () => {
    await lab.make('lab/masked')
    const hidden = await lab.refused(bob, 'repository.get', { repository: 'lab/masked' })
    expect([hidden.code, hidden.context.absence]).toEqual(['not_found', 'hidden'])
    await lab.as('repository.update', { repository: 'lab/masked', private: false })
    expect((await get(lab.anonymous, 'lab/masked')).private).toBe(false)
  })

  test('members of an organisation read what is made directly in its group', async () => {
    const carl = await lab.user('carl')
    await lab.group('org')
    await lab.store.write(async (tables) => {
      const now = lab.services.clock.now()
      const group = await tables.resources.insert({
        id: lab.services.ids.record(),
        kind: 'group',
        name: 'members:org',
        owner_id: null,
        parent_id: null,
        private: false,
        active: true,
        state: 'builtin',
        spec: {},
        created_at: now,
        updated_at: now,
      })
      await tables.members.add(group.id, carl.id, now)
    })
    await lab.make('org/shared')
    await lab.group('org/deep')
    await lab.make('org/deep/own')
    expect((await get(carl, 'org/shared')).path).toBe('org/shared')
    expect(await code(bob, 'repository.get', { repository: 'org/shared' })).toBe('not_found')
    expect(await code(carl, 'repository.get', { repository: 'org/deep/own' })).toBe('not_found')
  })
})

describe('changing repositories', () => {
  test('a new path keeps id, serial and storage; the old one is free', async () => {
    const made = await lab.make('lab/old-name')
    const moved = await lab.as<RepositoryView>('repository.update', { repository: 'lab/old-name', path: 'lab/new-name', description: 'moved' })
    expect(moved).toMatchObject({ id: made.id, serial: made.serial, path: 'lab/new-name', description: 'moved' })
    expect(await code(lab.root, 'repository.get', { repository: 'lab/old-name' })).toBe('not_found')
    await lab.make('lab/old-name')
    expect(await code(lab.root, 'repository.update', { repository: 'lab/new-name', path: 'lab/old-name' })).toBe('name_taken')
    expect(await code(lab.root, 'repository.update', { repository: 'lab/new-name', path: 'lab/a b' })).toBe('invalid_name')
  })

  test('moving needs write on the group that it goes to, and to the top level the system permission', async () => {
    await lab.call(bob, 'repository.create', { path: 'of-bob' })
    expect(await code(bob, 'repository.update', { repository: 'of-bob', path: 'lab/of-bob' })).toBe('forbidden')
    expect(await code(bob, 'repository.update', { repository: 'of-bob', path: 'nowhere/of-bob' })).toBe('not_found')
    await lab.grant(bob, 'repository-group', 'lab', 'write')
    expect(await lab.call(bob, 'repository.update', { repository: 'of-bob', path: 'lab/of-bob' })).toMatchObject({ group: 'lab' })
    expect(await lab.call(bob, 'repository.update', { repository: 'lab/of-bob', path: 'of-bob' })).toMatchObject({ group: null })
  })

  test('only administrators change the owner; a reader changes nothing', async () => {
    await lab.make('lab/given', { private: false })
    expect(await code(bob, 'repository.update', { repository: 'lab/given', description: 'mine' })).toBe('forbidden')
    expect(await lab.as('repository.update', { repository: 'lab/given', owner: 'bob' })).toMatchObject({ owner: 'bob' })
    expect(await code(bob, 'repository.update', { repository: 'lab/given', owner: 'ann' })).toBe('forbidden')
    expect(await code(lab.root, 'repository.update', { repository: 'lab/given', owner: 'default' })).toBe('not_found')
  })

  test('the default branch of an empty repository can be any, and is where HEAD points', async () => {
    const made = await lab.make('lab/head', { default_branch: 'main' })
    expect([made.default_branch, await lab.git.head(made.id)]).toEqual(['main', 'refs/heads/main'])
    await lab.as('repository.update', { repository: 'lab/head', default_branch: 'trunk' })
    expect(await lab.git.head(made.id)).toBe('refs/heads/trunk')
    expect(await code(lab.root, 'repository.update', { repository: 'lab/head', default_branch: '-x' })).toBe('invalid_name')
  })
})

describe('deleting and forking', () => {
  test('a deleted repository is kept aside with its name free at once, and purged later', async () => {
    const made = await lab.make('lab/short')
    const dora = await lab.user('dora')
    await lab.grant(dora, 'repository', 'lab/short', 'write')
    expect(await lab.as('repository.delete', { repository: 'lab/short' })).toMatchObject({ id: made.id, path: 'lab/short', forks: 0 })
    expect(await code(lab.root, 'repository.get', { repository: made.id })).toBe('not_found')
    expect(await lab.git.exists(made.id)).toBe(false)
    const again = await lab.make('lab/short')
    expect(again.id).not.toBe(made.id)
    expect(await code(dora, 'repository.get', { repository: 'lab/short' })).toBe('not_found')
    expect(await purgeKeptAside(lab.services, lab.services.clock.now() - 60_000)).toBe(0)
    expect(await purgeKeptAside(lab.services, lab.services.clock.now() + 1)).toBeGreaterThan(0)
    expect(await lab.store.reader.resources.byId(made.id)).toBeNull()
    expect(await lab.git.exists(again.id)).toBe(true)
  })

  test('a fork is a copy that names its parent to those who may read it, and is as private as that', async () => {
    const source = await lab.make('lab/source', { description: 'the source' })
    await lab.grant(bob, 'repository', 'lab/source', 'read')
    const fork = await lab.call<RepositoryView>(bob, 'repository.fork', { repository: 'lab/source', path: 'bobs-fork' })
    expect(fork).toMatchObject({ fork_of: 'lab/source', owner: 'bob', private: true, description: 'the source' })
    expect(fork.id).not.toBe(source.id)
    expect(await lab.git.exists(fork.id)).toBe(true)
    await lab.grant(bob, 'repository', 'lab/source', 'none')
    expect((await get(bob, 'bobs-fork')).fork_of).toBeNull()
    expect(await code(ann, 'repository.fork', { repository: 'bobs-fork', path: 'x' })).toBe('not_found')
    expect(await code(lab.root, 'repository.fork', { repository: 'lab/source', path: 'bobs-fork' })).toBe('name_taken')
  })

  test('what has forks is not deleted unless they are detached or deleted as well', async () => {
    await lab.make('lab/parent', { private: false })
    await lab.as('repository.fork', { repository: 'lab/parent', path: 'lab/child' })
    await lab.as('repository.fork', { repository: 'lab/child', path: 'lab/grandchild' })
    expect(await code(lab.root, 'repository.delete', { repository: 'lab/parent' })).toBe('in_use')
    expect(await lab.as('repository.delete', { repository: 'lab/parent', forks: 'detach' })).toMatchObject({ detached: ['lab/child'], forks: 1 })
    expect((await get(lab.root, 'lab/child')).fork_of).toBeNull()
    await lab.make('lab/parent', { private: false })
    await lab.as('repository.update', { repository: 'lab/parent', owner: 'bob' })
    await lab.call(ann, 'repository.fork', { repository: 'lab/parent', path: 'anns-fork' })
    expect(await code(bob, 'repository.delete', { repository: 'lab/parent', forks: 'delete' })).toBe('forbidden')
    expect(await lab.as('repository.delete', { repository: 'lab/child', forks: 'delete' })).toMatchObject({ deleted: ['lab/grandchild'] })
    expect(await code(lab.root, 'repository.get', { repository: 'lab/grandchild' })).toBe('not_found')
  })

  test('storage without a row is removed at start, that of deleted repositories is set aside, the rest stays', async () => {
    const kept = await lab.make('lab/kept')
    const orphan = lab.services.ids.record()
    await lab.git.create(orphan)
    const deleted = await lab.make('lab/half-deleted')
    await lab.store.write((tables) => tables.resources.markDeleted(deleted.id, lab.services.clock.now()))
    expect(await sweepRepositories(lab.services, { olderThanMs: 3_600_000 })).toEqual({ removed: 0, setAside: 1 })
    expect(await sweepRepositories(lab.services)).toEqual({ removed: 1, setAside: 0 })
    expect([await lab.git.exists(orphan), await lab.git.exists(deleted.id), await lab.git.exists(kept.id)]).toEqual([false, false, true])
  })
})

describe('finding repositories', () => {
  test('an address leads to the id by path or serial, and core alone knows whether the rest is hidden or missing', async () => {
    const made = await lab.make('lab/located')
    const locate = (principal: Principal, path: string) => lab.call(principal, 'repository.locate', { path })
    expect(await locate(lab.root, 'lab/located')).toEqual({ id: made.id, path: 'lab/located', kind: 'git', may: { pull: true, push: true } })
    expect(await locate(lab.root, `_${made.serial}`)).toMatchObject({ id: made.id })
    await lab.grant(bob, 'repository', 'lab/located', 'read')
    expect(await locate(bob, 'lab/located')).toMatchObject({ may: { pull: true, push: false } })
    for (const path of ['lab/located', `_${made.serial}`])
      expect((await lab.refused(lab.anonymous, 'repository.locate', { path })).context.absence).toBe('hidden')
    for (const path of ['lab/nothing', '_0', '_999999', `_0${made.serial}`, made.id, `repository:${made.id}`])
      expect((await lab.refused(lab.root, 'repository.locate', { path })).context.absence, path).toBe('missing')
  })

  test('lists hold what the caller may read, of one group or below it, by search, page by page', async () => {
    await lab.group('many')
    await lab.group('many/deep')
    for (const name of ['many/a', 'many/b', 'many/c', 'many/deep/d']) await lab.make(name, { private: name === 'many/b' })
    const paths = async (principal: Principal, input: object) =>
      (await lab.call<{ items: RepositoryView[] }>(principal, 'repository.list', input)).items.map(({ path }) => path)
    expect(await paths(lab.root, { group: 'many' })).toEqual(['many/a', 'many/b', 'many/c'])
    expect(await paths(bob, { group: 'many', below: true })).toEqual(['many/a', 'many/c', 'many/deep/d'])
    expect(await paths(lab.anonymous, { search: 'MANY/D' })).toEqual(['many/deep/d'])
    const first = await lab.as<{ items: RepositoryView[]; next: string }>('repository.list', { group: 'many', limit: 2 })
    const second = await lab.as<{ items: RepositoryView[]; next: string | null }>('repository.list', { group: 'many', limit: 2, cursor: first.next })
    expect([second.items.map(({ path }) => path), second.next]).toEqual([['many/c'], null])
  })

  test('a list shows what is true now, however often it was asked for before', async () => {
    await lab.group('now')
    const made = await lab.make('now/a', { private: false })
    await lab.grant(ann, 'repository', 'now/a', 'admin')
    await lab.as('repository.fork', { repository: 'now/a', path: 'now/b' })
    await lab.as('repository.update', { repository: 'now/b', private: false })
    const seen = async (principal: Principal) => {
      const listed = (await lab.call<{ items: RepositoryView[] }>(principal, 'repository.list', { group: 'now' })).items
      for (const one of listed) expect(one).toEqual(await lab.call(principal, 'repository.get', { repository: one.id }))
      return listed.map(({ path, description, fork_of }) => [path, description, fork_of])
    }
    expect(await seen(bob)).toEqual([
      ['now/a', '', null],
      ['now/b', '', 'now/a'],
    ])
    expect(await seen(bob)).toEqual(await seen(ann))
    await lab.as('repository.update', { repository: 'now/a', private: true, description: 'hidden' })
    expect(await seen(bob)).toEqual([['now/b', '', null]])
    expect(await seen(lab.root)).toEqual([
      ['now/a', 'hidden', null],
      ['now/b', '', 'now/a'],
    ])
    await lab.as('repository.update', { repository: made.id, path: 'now/c' })
    expect(await seen(lab.root)).toEqual([
      ['now/b', '', 'now/c'],
      ['now/c', 'hidden', null],
    ])
    await lab.as('repository.delete', { repository: 'now/b' })
    expect(await seen(ann)).toEqual([['now/c', 'hidden', null]])
  })

  test('1,000 repositories are listed fast (the figure is printed, not judged)', async () => {
    await lab.group('big')
    const parent = await lab.store.reader.resources.byName('repository-group', 'big')
    await lab.store.write(async (tables) => {
      for (let i = 0; i < 1000; i++) {
        const now = lab.services.clock.now()
        const row = await tables.resources.insert({
          id: lab.services.ids.record(),
          kind: 'repository',
          name: `big/r${i}`,
          owner_id: ann.id,
          parent_id: parent?.id ?? null,
          private: i % 2 === 0,
          active: true,
          state: 'ready',
          spec: { kind: 'git', description: 'one of many' },
          created_at: now,
          updated_at: now,
        })
        await grant({ db: tables, clock: lab.services.clock } as unknown as WriteCtx, row.id, { id: bob.id, kind: 'user' }, 'read')
      }
    })
    const took: number[] = []
    const cpu = process.cpuUsage()
    for (let i = 0; i < 20; i++) {
      const began = performance.now()
      const page = await lab.call<{ items: unknown[] }>(bob, 'repository.list', { group: 'big', limit: 1000 })
      took.push(performance.now() - began)
      expect(page.items).toHaveLength(1000)
    }
    took.sort((a, b) => a - b)
    const { user, system } = process.cpuUsage(cpu)
    console.log(
      `repository.list of 1,000: CPU ${((user + system) / 20_000).toFixed(1)} ms, p50 ${took[10]?.toFixed(1)} ms, p95 ${took[18]?.toFixed(1)} ms`,
    )
    await lab.store.write(async (tables) => {
      for (let i = 0; i < 1000; i++) await tables.resources.markDeleted((await tables.resources.byName('repository', `big/r${i}`))?.id ?? '', 1)
    })
  })
})
