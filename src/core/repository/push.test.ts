import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commit, gitOut, tryGit, until } from '../../adapters/git/git-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { recoverPushes } from './push.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { RefUpdate } from '../../ports/git.ts'
import type { RepositoryView } from './view.ts'

let lab: RepositoryLab
let home: string
let port: number

beforeAll(async () => {
  lab = await openRepositoryLab()
  home = await mkdtemp(`${tmpdir()}/capstan-pushes-`)
  port = await lab.serve()
})
afterAll(async () => {
  await lab.close()
  await rm(home, { recursive: true, force: true })
})

async function working(path: string): Promise<{ copy: string; made: RepositoryView; tip: string }> {
  const made = await lab.make(path)
  const copy = `${home}/${path}`
  await gitOut(home, ['init', '-q', '-b', 'main', copy])
  await gitOut(copy, ['remote', 'add', 'origin', `http://root:pw-root@127.0.0.1:${port}/${path}`])
  return { copy, made, tip: await commit(copy, { a: '1' }) }
}

const linesOf = async (path: string) =>
  (await lab.store.reader.audit.page({ operation: 'repository.push', subject: `repository:${path}` }, { limit: 10, after: null })).items

const pushesOf = async (id: string) => (await lab.store.reader.pushes.page(id, { limit: 10, after: null })).items

async function openIntent(repository: string, commands: RefUpdate[]): Promise<void> {
  const { ids, clock } = lab.services
  const row = {
    id: ids.record(),
    repository_id: repository,
    user_id: lab.root.id,
    user: 'root',
    state: 'open' as const,
    commands,
    changes: [],
    at: clock.now(),
  }
  await lab.store.write((tables) => tables.pushes.open(row))
}

test('killed between git and the record: at the next start the push is recorded by what is true of its refs', async () => {
  const { copy, made, tip } = await working('killed')
  // Git has the objects and the refs, as after a kill behind its last step; neither HEAD nor any row knows.
  await gitOut(copy, ['push', '-q', `${lab.folder}/repositories/${made.id}.git`, 'main'])
  await openIntent(made.id, [
    { ref: 'refs/heads/main', from: null, to: tip },
    { ref: 'refs/heads/other', from: null, to: tip },
  ])
  expect(await recoverPushes(lab.services)).toEqual({ done: 1, failed: 0, left: 0 })
  expect(await pushesOf(made.id)).toMatchObject([{ state: 'done', changes: [{ ref: 'refs/heads/main', to: tip }] }])
  expect(await linesOf('killed')).toMatchObject([{ actor: 'root', outcome: 'succeeded', detail: { recovered: true, count: 1 } }])
  expect(await lab.as('repository.get', { repository: 'killed' })).toMatchObject({ default_branch: 'main', last_commit: { id: tip } })
  expect(await lab.git.head(made.id)).toBe('refs/heads/main')
  expect(await recoverPushes(lab.services)).toEqual({ done: 0, failed: 0, left: 0 })
  expect(await linesOf('killed')).toHaveLength(1)
})

test('killed before git took anything: the intent is closed as failed, without a line that says it happened', async () => {
  const { made, tip } = await working('not-begun')
  await openIntent(made.id, [{ ref: 'refs/heads/main', from: null, to: tip }])
  const gone = await lab.make('gone')
  await openIntent(gone.id, [{ ref: 'refs/heads/main', from: null, to: tip }])
  await lab.as('repository.delete', { repository: 'gone' })
  expect(await recoverPushes(lab.services)).toEqual({ done: 0, failed: 2, left: 0 })
  expect(await pushesOf(made.id)).toMatchObject([{ state: 'failed', changes: [] }])
  expect(await linesOf('not-begun')).toEqual([])
})

test('the intent is durable before git gets anything: when it cannot be written the push is refused and no ref moves', async () => {
  const { copy, made } = await working('unwritable')
  const write = lab.store.write
  Object.assign(lab.store, { write: () => Promise.reject(new Error('the disk is full')) })
  const push = await tryGit(copy, ['push', '-q', 'origin', 'main']).finally(() => Object.assign(lab.store, { write }))
  expect(push.code).not.toBe(0)
  expect((await lab.git.refs(made.id)).size).toBe(0)
  await gitOut(copy, ['push', '-q', 'origin', 'main'])
})

test('the client hears of a push only after it is recorded: when that fails the push stays open for the next start', async () => {
  const { copy, made, tip } = await working('unrecorded')
  const write = lab.store.write
  let calls = 0
  // The first write is the intent; the record and the attempt to settle it fail.
  Object.assign(lab.store, { write: (work: never) => (++calls === 1 ? write.call(lab.store, work) : Promise.reject(new Error('the disk is full'))) })
  const push = await tryGit(copy, ['push', '-q', 'origin', 'main'])
  await until('the server has given up', () => lab.logged.some(({ event }) => event === 'push.left_open'))
  Object.assign(lab.store, { write })
  expect(push.code).not.toBe(0)
  expect(await pushesOf(made.id)).toMatchObject([{ state: 'open' }])
  expect((await lab.git.refs(made.id)).get('refs/heads/main')).toBe(tip)
  expect(await recoverPushes(lab.services)).toEqual({ done: 1, failed: 0, left: 0 })
  expect(await linesOf('unrecorded')).toHaveLength(1)
})

test('a push that is settled twice at once is recorded once', async () => {
  const { copy, made, tip } = await working('twice')
  await gitOut(copy, ['push', '-q', `${lab.folder}/repositories/${made.id}.git`, 'main'])
  await openIntent(made.id, [{ ref: 'refs/heads/main', from: null, to: tip }])
  await Promise.all([recoverPushes(lab.services), recoverPushes(lab.services)])
  expect(await linesOf('twice')).toHaveLength(1)
})

test('followers hear of a push once, with what it changed', async () => {
  const { copy, made } = await working('followed')
  const heard: unknown[] = []
  const stop = lab.services.events.subscribe((event) => event.id === made.id && heard.push(event))
  await gitOut(copy, ['push', '-q', 'origin', 'main'])
  stop()
  expect(heard).toMatchObject([{ kind: 'repository', state: 'pushed', name: 'followed', data: { by: 'root', branches: ['main'], count: 1 } }])
})

test('the newest commit follows deleted and rewritten branches', async () => {
  const { copy, tip } = await working('newest')
  await gitOut(copy, ['push', '-q', 'origin', 'main'])
  const later = await commit(copy, { a: '2' }, 'later').then(() => gitOut(copy, ['rev-parse', 'HEAD']))
  await gitOut(copy, ['push', '-q', 'origin', 'HEAD:refs/heads/side'])
  const newest = async () => (await lab.as<RepositoryView>('repository.get', { repository: 'newest' })).last_commit?.id
  expect(await newest()).toBe(later)
  await gitOut(copy, ['push', '-q', 'origin', ':refs/heads/side'])
  expect(await newest()).toBe(tip)
})

test('of commits of one second the newest is the one that comes last in their order, whatever its branch is called', async () => {
  const { copy } = await working('second')
  const env = { GIT_COMMITTER_DATE: '2026-01-01T10:00:00Z' }
  let last = ''
  await gitOut(copy, ['commit', '-q', '--amend', '-m', 'first of all'], { env })
  for (const branch of ['m', 'z', 'a']) {
    await gitOut(copy, ['checkout', '-q', '-b', branch])
    await gitOut(copy, ['commit', '-q', '--allow-empty', '-m', branch], { env })
    last = await gitOut(copy, ['rev-parse', 'HEAD'])
  }
  await gitOut(copy, ['push', '-q', 'origin', 'm', 'z', 'a'])
  const numbered = {
    last_commit: { id: last, revision: (await lab.as<{ count: number }>('repository.list-history', { repository: 'second' })).count - 1 },
  }
  expect(await lab.as('repository.get', { repository: 'second' })).toMatchObject(numbered)
  expect(await lab.as('repository.refresh', { repository: 'second' })).toMatchObject(numbered)
})

test('without the two ends of a git request the operations of the protocol cannot be used', async () => {
  await lab.make('plain')
  for (const operation of ['repository.push', 'repository.upload-pack'])
    expect((await lab.refused(lab.root, operation, { repository: 'plain' })).code).toBe('unsupported')
  for (const transfer of [{}, [], 'x', 1, true, null])
    expect((await lab.refused(lab.root, 'repository.push', { repository: 'plain', transfer })).code).toBe('invalid_input')
  expect((await lab.refused(lab.anonymous, 'repository.push', { repository: 'plain' })).code).toBe('not_found')
})
