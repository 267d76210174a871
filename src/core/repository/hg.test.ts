import { readlinkSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg, hgCommit, hgOut } from '../../adapters/hg/hg-lab.suite.ts'
import { createHg } from '../../adapters/hg/adapter.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { pullRequestOperations } from '../pull-request/operations.ts'
import { recoverPushes } from './push.ts'
import { purgeKeptAside, sweepRepositories } from './storage.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { RepositoryView } from './view.ts'

let lab: RepositoryLab

const commit = (repository: string, files: Record<string, string | null>, more: object = {}) =>
  lab.as<{ commit: string }>('repository.commit-files', {
    repository,
    message: 'fixture',
    files: Object.entries(files).map(([path, text]) => ({ path, ...(text === null ? {} : { text }) })),
    ...more,
  })
const onDisk = (id: string, ...args: string[]) => hgOut(`${lab.folder}/repositories/${id}.hg`, args)

describe.skipIf(!hasHg())('Mercurial repositories', () => {
  beforeAll(async () => {
    lab = await openRepositoryLab(pullRequestOperations)
  })
  afterAll(() => lab.close())

  test('they are made, committed to, read, renamed, forked and deleted by the operations that git ones are', async () => {
    const made = await lab.make('one', { kind: 'hg' })
    expect(made).toMatchObject({ kind: 'hg', default_branch: 'default', last_commit: null, size: null })
    const { commit: first } = await commit('one', { 'src/a': 'hello\n', b: '1\n' })
    const { commit: second } = await commit('one', { b: null }, { parent: first })
    expect(
      (await lab.refused(lab.root, 'repository.commit-files', { repository: 'one', message: 'x', parent: first, files: [{ path: 'c', text: '' }] }))
        .code,
    ).toBe('state_conflict')
    expect(await lab.as('repository.get', { repository: 'one' })).toMatchObject({ last_commit: { id: second, revision: 1, author_name: 'root' } })
    expect(await lab.as('repository.get-file', { repository: 'one', path: 'src/a' })).toMatchObject({ content: 'hello\n', size: 6, mode: '100644' })
    expect(await lab.as('repository.list-files', { repository: 'one', recursive: true })).toMatchObject({
      items: [
        { path: 'src', type: 'folder' },
        { path: 'src/a', type: 'file' },
      ],
    })
    expect((await lab.as<{ items: { id: string }[] }>('repository.list-commits', { repository: 'one' })).items.map(({ id }) => id)).toEqual([
      second,
      first,
    ])
    await lab.as('repository.update', { repository: 'one', path: 'two', description: 'renamed' })
    expect((await lab.refused(lab.root, 'repository.update', { repository: 'two', default_branch: 'no' })).code).toBe('not_found')
    const fork = await lab.as<RepositoryView>('repository.fork', { repository: 'two', path: 'three' })
    expect(fork).toMatchObject({ kind: 'hg', fork_of: 'two', default_branch: 'default', last_commit: { id: second } })
    await lab.as('repository.delete', { repository: 'two', forks: 'detach' })
    expect(await lab.hg.list()).toEqual([fork.id])
    expect((await lab.as<{ items: object[] }>('repository.list-commits', { repository: 'three' })).items).toHaveLength(2)
    expect(await purgeKeptAside(lab.services, Number.MAX_SAFE_INTEGER)).toBeGreaterThan(0)
    expect(await onDisk(fork.id, 'verify', '-q')).toBe('')
  })

  test('the newest is what came last, whatever its date says', async () => {
    const { id } = await lab.make('dated', { kind: 'hg' })
    await commit('dated', { a: '1' })
    const copy = `${lab.folder}/dated`
    await hgOut(lab.folder, ['clone', '-q', `${lab.folder}/repositories/${id}.hg`, copy])
    await hgOut(copy, ['branch', '-q', 'old'])
    await hgOut(copy, ['commit', '-q', '-d', '2001-01-01 00:00 +0000', '-m', 'of long ago'])
    await hgOut(copy, ['push', '-q', '--new-branch'])
    const tip = await hgOut(copy, ['log', '-r', 'tip', '-T', '{node}'])
    expect(await lab.as('repository.refresh', { repository: 'dated' })).toMatchObject({ last_commit: { id: tip, revision: 1 } })
  })

  test('storage that no row stands for is removed at start, of git and of Mercurial', async () => {
    const kept = await lab.make('kept', { kind: 'hg' })
    await lab.hg.create('0')
    await lab.git.create('1')
    expect(await sweepRepositories(lab.services)).toMatchObject({ removed: 2 })
    expect(await lab.hg.exists(kept.id)).toBe(true)
    expect([await lab.hg.exists('0'), await lab.git.exists('1')]).toEqual([false, false])
  })

  test('a pull request between branches and from a fork is checked and merged; conflicts are told by their files', async () => {
    const target = await lab.make('target', { kind: 'hg' })
    const { commit: base } = await commit('target', { a: '1\n2\n3\n4\n5\n' })
    await lab.as('repository.fork', { repository: 'target', path: 'source' })
    const { commit: head } = await commit('source', { a: '1\n2\n3\n4\n5\n6\n', b: 'new\n' })
    const { commit: ours } = await commit('target', { a: '0\n1\n2\n3\n4\n5\n' })
    const ends = { repository: 'target', target_branch: 'default', source_repository: 'source', source_branch: 'default' }
    const made = await lab.as<{ serial: number }>('pull-request.create', { ...ends, title: 'More' })
    const input = { pull_request: String(made.serial) }
    expect(await lab.as('pull-request.check', input)).toMatchObject({ mergeable: true, fast_forward: false, conflicts: [], head })
    expect((await lab.as<{ items: { id: string }[] }>('pull-request.list-commits', input)).items.map(({ id }) => id)).toEqual([head])
    expect(await lab.hg.resolve(target.id, head)).toBeNull()
    const done = await lab.as<{ merge: { commit: string } }>('pull-request.merge', { ...input, head })
    expect(done).toMatchObject({ state: 'merged', base, head, merge: { strategy: 'merge', by: 'root' } })
    expect(await onDisk(target.id, 'log', '-r', done.merge.commit, '-T', '{p1node} {p2node} {branch} {author}')).toBe(
      `${ours} ${head} default root <root@lab.test>`,
    )
    expect(await onDisk(target.id, 'cat', '-r', done.merge.commit, 'a')).toBe('0\n1\n2\n3\n4\n5\n6')
    expect(await onDisk(target.id, 'verify', '-q')).toBe('')
    expect((await lab.store.reader.pushes.page(target.id, { limit: 1, after: null })).items).toMatchObject([
      { state: 'done', changes: [{ ref: 'refs/heads/default', from: ours, to: done.merge.commit }] },
    ])
    await commit('source', { a: 'theirs\n' })
    await commit('target', { a: 'ours\n' })
    const other = await lab.as<{ serial: number }>('pull-request.create', { ...ends, title: 'Against' })
    expect(await lab.as('pull-request.check', { pull_request: String(other.serial) })).toMatchObject({ mergeable: false, conflicts: ['a'] })
    const refused = await lab.refused(lab.root, 'pull-request.merge', { pull_request: String(other.serial) })
    expect(refused).toMatchObject({ code: 'state_conflict', details: { conflicts: ['a'] } })
  })

  test('a pull request between two branches of one repository keeps the name of the target branch', async () => {
    const { id } = await lab.make('branches', { kind: 'hg' })
    const { commit: base } = await commit('branches', { a: '1\n' })
    const storage = `${lab.folder}/repositories/${id}.hg`
    const copy = `${lab.folder}/copy`
    await hgOut(lab.folder, ['clone', '-q', storage, copy])
    await hgOut(copy, ['branch', '-q', 'topic'])
    const head = await hgCommit(copy, { b: '2\n' })
    await hgOut(copy, ['push', '-q', '--new-branch', storage])
    const ends = { repository: 'branches', target_branch: 'default', source_branch: 'topic', title: 'Topic' }
    const input = { pull_request: String((await lab.as<{ serial: number }>('pull-request.create', ends)).serial) }
    // A changeset belongs to its branch for ever.
    expect((await lab.refused(lab.root, 'pull-request.merge', { ...input, strategy: 'fast-forward' })).code).toBe('content_invalid')
    expect(await lab.as('pull-request.check', input)).toMatchObject({ mergeable: true, head })
    const { merge } = await lab.as<{ merge: { commit: string } }>('pull-request.merge', input)
    expect(await onDisk(id, 'log', '-r', merge.commit, '-T', '{p1node} {p2node} {branch}')).toBe(`${base} ${head} default`)
    expect(await lab.hg.resolve(id, 'refs/heads/default')).toBe(merge.commit)
    expect(await lab.hg.resolve(id, 'refs/heads/topic')).toBe(head)
  })

  test('killed between the record and the commit, or behind it: the next start tells what is true', async () => {
    const { id } = await lab.make('killed', { kind: 'hg' })
    const { commit: first } = await commit('killed', { a: '1\n' })
    const { hg } = lab.services
    // The hg that works is killed once the intent is durable: nothing of the change stays.
    const { write } = lab.store
    Object.assign(lab.store, {
      write: async (...args: Parameters<typeof write>) => {
        const done = await write.apply(lab.store, args)
        Object.assign(lab.store, { write })
        process.kill(Number(readlinkSync(`${lab.folder}/repositories/${id}.hg/.hg/store/lock`).split(':').at(-1)), 'SIGKILL')
        return done
      },
    })
    const input = { repository: 'killed', message: 'x', files: [{ path: 'a', text: '2\n' }] }
    expect((await lab.refused(lab.root, 'repository.commit-files', input)).code).toBe('git_unavailable')
    expect(await lab.store.reader.pushes.openOnes()).toEqual([])
    expect(await hg.resolve(id, 'refs/heads/default')).toBe(first)
    // And one whose record is lost after hg has committed: as a server that is killed there leaves it.
    const to = await hg.commit(id, {
      branch: 'refs/heads/default',
      parent: first,
      files: [{ path: 'a', content: Buffer.from('3\n') }],
      author: { name: 'Ann', email: '', at: 0, zone: '+0000' },
      message: 'x',
    })
    if (to === 'conflict') throw new Error('A fixture is in conflict')
    const commands = [{ ref: 'refs/heads/default', from: first, to }]
    const intent = {
      id: lab.services.ids.record(),
      repository_id: id,
      user_id: lab.root.id,
      user: 'root',
      state: 'open' as const,
      commands,
      changes: [],
      at: lab.services.clock.now(),
    }
    await lab.store.write((tables) => tables.pushes.open(intent))
    expect(await recoverPushes(lab.services)).toEqual({ done: 1, failed: 0, left: 0 })
    expect((await lab.store.reader.pushes.page(id, { limit: 1, after: null })).items).toMatchObject([{ state: 'done', changes: commands }])
  })
})

test('without hg a Mercurial repository is refused by name, and git goes on', async () => {
  const own = await openRepositoryLab()
  try {
    const { hg } = own.services
    Object.assign(own.services, {
      hg: await createHg({ root: `${own.folder}/repositories`, log: own.services.log, clock: own.services.clock, program: 'no-such-hg' }),
    })
    await hg.close()
    const refused = await own.refused(own.root, 'repository.create', { path: 'x', kind: 'hg' })
    expect(refused).toMatchObject({ code: 'unsupported', message: expect.stringContaining('hg is not installed') })
    await own.make('x')
    await own.services.hg.close()
  } finally {
    await own.close()
  }
})
