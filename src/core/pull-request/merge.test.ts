import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitOut } from '../../adapters/git/git-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { pullRequestOperations } from './operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { NumberedEvent } from '../notify/event-hub.ts'
import type { PullRequestView } from './view.ts'

let lab: RepositoryLab

beforeAll(async () => {
  lab = await openRepositoryLab(pullRequestOperations)
})
afterAll(() => lab.close())

const commit = async (repository: string, branch: string, files: Record<string, string>) => {
  const list = Object.entries(files).map(([path, text]) => ({ path, text }))
  return (await lab.as<{ commit: string }>('repository.commit-files', { repository, branch, message: 'x\n', files: list })).commit
}
const branch = (id: string, name: string, at: string) => lab.git.updateRefs(id, [{ ref: `refs/heads/${name}`, from: null, to: at }])
const tip = (id: string, name = 'main') => lab.git.resolve(id, `refs/heads/${name}`)
const shown = (id: string, ...args: string[]) => gitOut(`${lab.folder}/repositories/${id}.git`, args)

/** `main` and `topic` of a repository (or of its fork), with these files beyond what they have in common. */
async function opened(path: string, main: Record<string, string>, topic: Record<string, string>, options: { fork?: boolean } = {}) {
  const target = await lab.make(path)
  const base = await commit(path, 'main', { a: '1\n2\n3\n4\n5\n' })
  const sourcePath = options.fork ? `${path}-fork` : path
  const source = options.fork ? await lab.as<{ id: string }>('repository.fork', { repository: path, path: sourcePath }) : target
  await branch(source.id, 'topic', base)
  const ours = Object.keys(main).length > 0 ? await commit(path, 'main', main) : base
  const head = await commit(sourcePath, 'topic', topic)
  const input = { repository: path, target_branch: 'main', source_repository: sourcePath, source_branch: 'topic', title: 'Topic' }
  const { serial } = await lab.as<PullRequestView>('pull-request.create', input)
  return { target: target.id, source: source.id, base, ours, head, serial, pull_request: String(serial) }
}

test('a merge makes a commit of both, recorded like a push, and keeps the head under the number', async () => {
  const one = await opened('merged', { a: 'zero\n1\n2\n3\n4\n5\n' }, { a: '1\n2\n3\n4\n5\n6\n', b: 'new\n' })
  expect(await lab.as('pull-request.check', { pull_request: one.pull_request })).toMatchObject({
    mergeable: true,
    fast_forward: false,
    conflicts: [],
  })
  const events: NumberedEvent[] = []
  const stop = lab.services.events.subscribe((event) => void events.push(event))
  const done = await lab.as<PullRequestView>('pull-request.merge', { pull_request: one.pull_request, head: one.head })
  stop()
  const made = (await tip(one.target)) ?? ''
  expect(done).toMatchObject({ state: 'merged', head: one.head, base: one.base, merge: { strategy: 'merge', commit: made, by: 'root' } })
  const [log] = await lab.git.log(one.target, made, { limit: 1, skip: 0 })
  expect(log).toMatchObject({ parents: [one.ours, one.head], author: { name: 'root', email: 'root@lab.test' } })
  expect(log?.message).toBe(`Merge pull request ${one.serial} from topic\n\nTopic\n`)
  expect(await shown(one.target, 'show', `${made}:a`)).toBe('zero\n1\n2\n3\n4\n5\n6')
  expect(await shown(one.target, 'fsck', '--strict', '--no-dangling')).toBe('')
  expect(await lab.git.resolve(one.source, `refs/pull/${one.serial}/head`)).toBe(one.head)
  const change = { ref: 'refs/heads/main', from: one.ours, to: made }
  expect((await lab.store.reader.pushes.page(one.target, { limit: 1, after: null })).items).toMatchObject([{ state: 'done', changes: [change] }])
  expect(events.map(({ kind, state }) => [kind, state])).toEqual([
    ['pull-request', 'merged'],
    ['repository', 'pushed'],
  ])
  expect(await lab.as('repository.get', { repository: 'merged' })).toMatchObject({ last_commit: { id: made } })
  expect((await lab.refused(lab.root, 'pull-request.merge', { pull_request: one.pull_request })).code).toBe('state_conflict')
  expect((await lab.refused(lab.root, 'pull-request.reopen', { pull_request: one.pull_request })).code).toBe('state_conflict')
  const commits = await lab.as<{ items: { id: string }[] }>('pull-request.list-commits', { pull_request: one.pull_request })
  expect(commits.items.map(({ id }) => id)).toEqual([one.head])
})

test('what comes from a fork is copied only when it is merged, whole, and stays when the fork goes', async () => {
  const one = await opened('forked', { c: 'ours\n' }, { b: 'theirs\n' }, { fork: true })
  expect(await lab.git.resolve(one.target, one.head)).toBeNull()
  await lab.as('pull-request.check', { pull_request: one.pull_request })
  expect(await lab.git.resolve(one.target, one.head)).toBeNull()
  await lab.as('pull-request.merge', { pull_request: one.pull_request, message: 'By hand' })
  expect(await lab.git.resolve(one.source, `refs/pull/${one.serial}/head`)).toBe(one.head)
  await lab.as('repository.delete', { repository: 'forked-fork' })
  expect(await shown(one.target, 'log', '--format=%s', '-1', 'main')).toBe('By hand')
  expect(await shown(one.target, 'fsck', '--strict', '--no-dangling')).toBe('')
  const reader = await lab.user('reader')
  await lab.grant(reader, 'repository', 'forked', 'read')
  const seen = await lab.call(reader, 'pull-request.get', { pull_request: one.pull_request })
  expect(seen).toMatchObject({ state: 'merged', source_repository: null, repository: 'forked' })
  expect(await lab.call(reader, 'pull-request.list-commits', { pull_request: one.pull_request })).toMatchObject({ items: [{ id: one.head }] })
  expect(await lab.call(reader, 'pull-request.list', { repository: 'forked' })).toMatchObject({ items: [{ serial: one.serial }] })
})

test('conflicts are refused with the names of the files, and nothing has changed', async () => {
  const one = await opened('conflicting', { a: 'ours\n', 'dir/ü "x"': 'ours\n' }, { a: 'theirs\n', 'dir/ü "x"': 'theirs\n', ok: '1\n' })
  const conflicts = ['a', 'dir/ü "x"']
  expect(await lab.as('pull-request.check', { pull_request: one.pull_request })).toMatchObject({ mergeable: false, conflicts })
  const refusal = await lab.refused(lab.root, 'pull-request.merge', { pull_request: one.pull_request })
  expect(refusal).toMatchObject({ code: 'state_conflict', details: { conflicts } })
  expect(refusal.message).toContain('in conflict with "main" in 2 file(s): a, dir/ü "x"')
  expect(await tip(one.target)).toBe(one.ours)
  expect(await lab.as('pull-request.get', { pull_request: one.pull_request })).toMatchObject({ state: 'open', merge: null })
  expect(await lab.git.resolve(one.source, `refs/pull/${one.serial}/head`)).toBeNull()
})

test('a fast-forward moves the branch to the head, and only if it has not gone on', async () => {
  for (const fork of [false, true]) {
    const one = await opened(`forward-${fork}`, {}, { b: 'new\n' }, { fork })
    expect(await lab.as('pull-request.check', { pull_request: one.pull_request })).toMatchObject({ mergeable: true, fast_forward: true })
    const done = await lab.as('pull-request.merge', { pull_request: one.pull_request, strategy: 'fast-forward' })
    expect(done).toMatchObject({ state: 'merged', merge: { strategy: 'fast-forward', commit: one.head } })
    expect(await tip(one.target)).toBe(one.head)
    expect(await shown(one.target, 'fsck', '--strict', '--no-dangling')).toBe('')
  }
  const two = await opened('gone-on', { c: 'ours\n' }, { b: 'new\n' })
  const input = { pull_request: two.pull_request, strategy: 'fast-forward' }
  expect((await lab.refused(lab.root, 'pull-request.merge', input)).code).toBe('state_conflict')
  expect(await tip(two.target)).toBe(two.ours)
})

test('a head that moved since it was looked at is not merged', async () => {
  const one = await opened('looked-at', {}, { b: 'new\n' })
  await commit('looked-at', 'topic', { b: 'evil\n' })
  expect((await lab.refused(lab.root, 'pull-request.merge', { pull_request: one.pull_request, head: one.head })).code).toBe('state_conflict')
  expect(await tip(one.target)).toBe(one.base)
})

test('of two that merge at once one is told that the branch has moved, or both are in it', async () => {
  const one = await opened('raced', { c: 'ours\n' }, { b: 'new\n' })
  const both = await Promise.allSettled([1, 2].map(() => lab.as('pull-request.merge', { pull_request: one.pull_request })))
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await shown(one.target, 'rev-list', '--merges', '--count', 'main')).toBe('1')
  expect(await lab.store.reader.pushes.openOnes()).toEqual([])
})

test('what came into the target by other ways is marked as merged, as after a kill behind the last step of git', async () => {
  const one = await opened('by-hand', {}, { b: 'new\n' })
  await lab.git.updateRefs(one.target, [{ ref: 'refs/heads/main', from: one.base, to: one.head }])
  expect(await lab.as('pull-request.check', { pull_request: one.pull_request })).toMatchObject({ merged: true, mergeable: false })
  const done = await lab.as('pull-request.merge', { pull_request: one.pull_request })
  expect(done).toMatchObject({ state: 'merged', base: one.base, merge: { strategy: 'none', commit: one.head } })
  expect(await lab.git.resolve(one.source, `refs/pull/${one.serial}/head`)).toBe(one.head)
})
