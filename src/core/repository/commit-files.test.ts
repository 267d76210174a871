import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { recoverPushes } from './push.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { NumberedEvent } from '../notify/event-hub.ts'

let lab: RepositoryLab

beforeAll(async () => {
  lab = await openRepositoryLab()
})
afterAll(() => lab.close())

type Committed = { commit: string; branch: string; parent: string | null }
const commit = (repository: string, more: object = {}) =>
  lab.as<Committed>('repository.commit-files', { repository, message: 'A file\n', files: [{ path: 'a', text: 'one\n' }], ...more })
const pushesOf = async (id: string) => (await lab.store.reader.pushes.page(id, { limit: 10, after: null })).items

test('files become a commit that is recorded like a push: its row, one audit line, an event, and HEAD at the first branch', async () => {
  const made = await lab.make('recorded')
  const events: NumberedEvent[] = []
  const stop = lab.services.events.subscribe((event) => void events.push(event))
  const done = await commit('recorded', { branch: 'main' })
  stop()
  expect(done).toMatchObject({ branch: 'main', parent: null })
  const change = { ref: 'refs/heads/main', from: null, to: done.commit }
  expect(await pushesOf(made.id)).toMatchObject([{ state: 'done', user: 'root', changes: [change] }])
  const { items } = await lab.store.reader.audit.page({ subject: 'repository:recorded' }, { limit: 10, after: null })
  expect(items.map(({ operation }) => operation)).toEqual(['repository.commit-files', 'repository.create'])
  expect(items[0]).toMatchObject({ actor: 'root', outcome: 'succeeded', detail: { count: 1, changes: [change] } })
  expect(events).toMatchObject([{ kind: 'repository', state: 'pushed', id: made.id, data: { branches: ['main'] } }])
  expect(await lab.git.head(made.id)).toBe('refs/heads/main')
  expect(await lab.as('repository.get', { repository: 'recorded' })).toMatchObject({
    default_branch: 'main',
    last_commit: { id: done.commit, author_name: 'root' },
  })
})

test('without a parent it goes on top of what is there; with one that is not the tip it is refused and nothing is recorded', async () => {
  const made = await lab.make('on-top')
  const first = await commit('on-top')
  const files = [{ path: 'a' }, { path: 'b', base64: Buffer.from([0, 255]).toString('base64'), executable: true }]
  const second = await commit('on-top', { files })
  expect(second.parent).toBe(first.commit)
  expect(await lab.git.entry(made.id, second.commit, 'a')).toBeNull()
  expect(await lab.git.entry(made.id, second.commit, 'b')).toMatchObject({ mode: '100755', size: 2 })
  for (const parent of [first.commit, null, 'a'.repeat(40)]) {
    const refusal = await lab.refused(lab.root, 'repository.commit-files', { repository: 'on-top', message: 'x', parent, files })
    expect(refusal.code).toBe('state_conflict')
  }
  expect((await pushesOf(made.id)).filter(({ state }) => state === 'done')).toHaveLength(2)
})

test('what is not named stays: no file takes the place of a folder, and none stands below a file', async () => {
  const repository = 'kept'
  await lab.make(repository)
  await commit(repository, {
    files: [
      { path: 'a', text: '1' },
      { path: 'd/e/f', text: '2' },
    ],
  })
  for (const path of ['a/b', 'a/b/c', 'd', 'd/e']) {
    const refusal = await lab.refused(lab.root, 'repository.commit-files', { repository, message: 'x', files: [{ path, text: 'x' }] })
    expect([refusal.code, refusal.message]).toEqual(['content_invalid', expect.stringMatching(/is a (file|folder) there/)])
  }
  await commit(repository, { files: [{ path: 'd/e/g', text: '3' }, { path: 'a' }, { path: 'a/b', text: '4' }] })
  const { items } = await lab.as<{ items: { path: string; type: string }[] }>('repository.list-files', { repository, recursive: true })
  expect(items.filter(({ type }) => type === 'file').map(({ path }) => path)).toEqual(['a/b', 'd/e/f', 'd/e/g'])
})

test('of many at once without a parent each goes on top of another', async () => {
  await lab.make('crowd')
  const paths = Array.from({ length: 6 }, (_, index) => `file-${index}`)
  const made = await Promise.all(paths.map((path) => commit('crowd', { files: [{ path, text: 'x' }] })))
  expect(new Set(made.map(({ parent }) => parent)).size).toBe(paths.length)
  const { items } = await lab.as<{ items: { path: string }[] }>('repository.list-files', { repository: 'crowd' })
  expect(items.map(({ path }) => path)).toEqual(paths)
})

test('it needs write on the repository, and a path that leads out is refused before anything is recorded', async () => {
  const made = await lab.make('guarded', { private: false })
  const ann = await lab.user('ann')
  const input = { repository: 'guarded', message: 'x', files: [{ path: '../out', text: 'x' }] }
  expect((await lab.refused(ann, 'repository.commit-files', input)).code).toBe('forbidden')
  expect((await lab.refused(lab.anonymous, 'repository.commit-files', input)).code).toBe('unauthenticated')
  expect((await lab.refused(lab.root, 'repository.commit-files', input)).code).toBe('content_invalid')
  expect(await pushesOf(made.id)).toEqual([])
})

test('an intent whose branch never moved is closed as failed by the next start', async () => {
  const made = await lab.make('killed-before')
  const git = lab.services.git
  const at = { name: 'x', email: '', at: 0, zone: '+0000' }
  const change = { branch: 'refs/heads/master', parent: null, files: [], author: at, message: 'x' }
  const { ids, clock, store } = lab.services
  const commands = [{ ref: 'refs/heads/master', from: null, to: 'b'.repeat(40) }]
  const row = {
    id: ids.record(),
    repository_id: made.id,
    user_id: lab.root.id,
    user: 'root',
    state: 'open' as const,
    commands,
    changes: [],
    at: clock.now(),
  }
  await expect(
    git.commit(made.id, change, {
      onMade: async () => {
        await store.write((tables) => tables.pushes.open(row))
        throw new Error('killed here')
      },
    }),
  ).rejects.toThrow('killed here')
  expect(await recoverPushes(lab.services)).toEqual({ done: 0, failed: 1, left: 0 })
})
