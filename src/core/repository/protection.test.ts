import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commit, gitOut, tryGit } from '../../adapters/git/git-lab.suite.ts'
import { hasHg, hgCommit, hgOut, tryHg } from '../../adapters/hg/hg-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { pullRequestOperations } from '../pull-request/operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'

let lab: RepositoryLab
let home: string
let port: number
let ann: Principal
let bob: Principal
let reader: Principal

beforeAll(async () => {
  lab = await openRepositoryLab(pullRequestOperations)
  home = await mkdtemp(`${tmpdir()}/capstan-protection-`)
  port = await lab.serve()
  ;[ann, bob, reader] = await Promise.all(['ann', 'bob', 'reader'].map((name) => lab.user(name)) as [never, never, never])
})
afterAll(async () => {
  await lab.close()
  await rm(home, { recursive: true, force: true })
})

const files = (name: string) => [{ path: name, text: name }]
const protect = (repository: string, more: object = {}) => lab.as('repository.protect-branch', { repository, branch: 'main', ...more })

/** A repository that ann and bob write, with `main` protected, and a pull request of ann's into it. */
async function opened(path: string, approvals: number) {
  await lab.make(path)
  await lab.grant(ann, 'repository', path, 'write')
  await lab.grant(bob, 'repository', path, 'write')
  await lab.grant(reader, 'repository', path, 'read')
  const { commit: base } = await lab.as<{ commit: string }>('repository.commit-files', {
    repository: path,
    branch: 'main',
    message: 'x',
    files: files('a'),
  })
  const { id } = await lab.as<{ id: string }>('repository.get', { repository: path })
  await lab.git.updateRefs(id, [{ ref: 'refs/heads/topic', from: null, to: base }])
  const head = (await lab.as<{ commit: string }>('repository.commit-files', { repository: path, branch: 'topic', message: 'x', files: files('b') }))
    .commit
  await protect(path, { approvals })
  const ends = { repository: path, target_branch: 'main', source_branch: 'topic', title: 'B', reviewers: ['reader'] }
  const { serial } = await lab.call<{ serial: number }>(ann, 'pull-request.create', ends)
  return { id, base, head, input: { pull_request: String(serial) } }
}

test('protected branches are listed, changed and let go by administrators of the repository', async () => {
  await lab.make('listed')
  await lab.grant(bob, 'repository', 'listed', 'write')
  expect(await protect('listed')).toMatchObject({ items: [{ branch: 'main', approvals: 1 }] })
  await protect('listed', { branch: 'a/b', approvals: 0 })
  expect(await protect('listed', { approvals: 3 })).toMatchObject({
    items: [
      { branch: 'a/b', approvals: 0 },
      { branch: 'main', approvals: 3 },
    ],
  })
  expect((await lab.refused(bob, 'repository.protect-branch', { repository: 'listed', branch: 'x' })).code).toBe('forbidden')
  expect((await lab.refused(bob, 'repository.unprotect-branch', { repository: 'listed', branch: 'main' })).code).toBe('forbidden')
  expect((await lab.refused(lab.root, 'repository.protect-branch', { repository: 'listed', branch: 'a..b' })).code).toBe('invalid_name')
  await lab.as('repository.unprotect-branch', { repository: 'listed', branch: 'a/b' })
  expect(await lab.call(bob, 'repository.list-protected-branches', { repository: 'listed' })).toMatchObject({
    items: [{ branch: 'main', approvals: 3 }],
  })
})

test('nobody pushes to a protected branch or deletes it, not even an administrator; other branches go on', async () => {
  await lab.make('pushed')
  const copy = `${home}/pushed`
  await gitOut(home, ['init', '-q', '-b', 'main', copy])
  await gitOut(copy, ['remote', 'add', 'origin', `http://root:pw-root@127.0.0.1:${port}/pushed`])
  const first = await commit(copy, { a: '1' })
  await gitOut(copy, ['push', '-q', 'origin', 'main'])
  await protect('pushed')
  await commit(copy, { a: '2' })
  const refused = await tryGit(copy, ['push', 'origin', 'main', 'main:topic'])
  expect(refused.code).not.toBe(0)
  expect(refused.err).toContain('! [remote rejected] main -> main (main is protected: push another branch, and make a pull request)')
  expect((await tryGit(copy, ['push', '-q', 'origin', ':main'])).code).not.toBe(0)
  expect((await tryGit(copy, ['push', '-q', '-f', 'origin', `${first}:refs/heads/main`])).code).toBe(0)
  expect(await gitOut(copy, ['ls-remote', 'origin', 'refs/heads/*'])).toBe(`${first}\trefs/heads/main`)
  await gitOut(copy, ['push', '-q', 'origin', 'main:topic'])
  const input = { repository: 'pushed', branch: 'main', message: 'x', files: files('b') }
  expect((await lab.refused(lab.root, 'repository.commit-files', input)).code).toBe('state_conflict')
  await lab.as('repository.unprotect-branch', { repository: 'pushed', branch: 'main' })
  await gitOut(copy, ['push', '-q', 'origin', 'main'])
})

test.skipIf(!hasHg())('nobody pushes to a protected branch of a Mercurial repository', async () => {
  await lab.make('pushed-hg', { kind: 'hg' })
  const copy = `${home}/pushed-hg`
  const url = `http://root:pw-root@127.0.0.1:${port}/pushed-hg`
  await hgOut(home, ['clone', '-q', url, copy])
  const first = await hgCommit(copy, { a: '1' })
  await hgOut(copy, ['push', '-q', url])
  await protect('pushed-hg', { branch: 'default' })
  await hgCommit(copy, { a: '2' })
  const refused = await tryHg(copy, ['push', '-q', url])
  expect(refused.code).not.toBe(0)
  expect(refused.err).toContain('default is protected: push another branch, and make a pull request')
  await hgOut(copy, ['commit', '-q', '--close-branch', '-m', 'close'])
  expect((await tryHg(copy, ['push', '-q', '-f', url])).code).not.toBe(0)
  expect(await lab.as('repository.list-branches', { repository: 'pushed-hg' })).toMatchObject({ items: [{ name: 'default', commit: first }] })
  await hgOut(copy, ['update', '-q', first])
  await hgOut(copy, ['branch', '-q', 'topic'])
  await hgCommit(copy, { b: '1' })
  await hgOut(copy, ['push', '-q', '--new-branch', '-r', '.', url])
})

describe('merging into a protected branch', () => {
  test('takes so many approvals of its present head, by others who may write the target', async () => {
    const { id, head, base, input } = await opened('approved', 1)
    const check = () => lab.as('pull-request.check', input)
    const vote = (who: Principal, status = 'approved') => lab.call(who, 'pull-request.comment', { ...input, status })
    const refused = async () => {
      const { code, details } = await lab.refused(lab.root, 'pull-request.merge', input)
      expect([code, details]).toEqual(['state_conflict', { approvals: 0, approvals_needed: 1 }])
    }
    expect(await check()).toMatchObject({ mergeable: false, fast_forward: true, approvals: 0, approvals_needed: 1 })
    await refused()
    // Its author, and a reviewer of the author's choice who may only read.
    await vote(ann)
    await vote(reader)
    await refused()
    await vote(bob)
    expect(await check()).toMatchObject({ mergeable: true, approvals: 1 })
    await vote(bob, 'rejected')
    await refused()
    await vote(bob)
    await lab.as('repository.commit-files', { repository: 'approved', branch: 'topic', message: 'more', files: files('c') })
    await refused()
    expect(await lab.git.resolve(id, 'refs/heads/main')).toBe(base)
    await vote(bob)
    const done = await lab.call<{ state: string; head: string }>(bob, 'pull-request.merge', { ...input, strategy: 'fast-forward' })
    expect(done.state).toBe('merged')
    expect(done.head).not.toBe(head)
    expect(await lab.git.resolve(id, 'refs/heads/main')).toBe(done.head)
  })

  test('takes none where none is wanted, and the approval of somebody who may not write any more does not count', async () => {
    const { input } = await opened('none', 0)
    expect(await lab.as('pull-request.merge', input)).toMatchObject({ state: 'merged' })
    const other = await opened('left', 1)
    await lab.call(bob, 'pull-request.comment', { ...other.input, status: 'approved' })
    await lab.grant(bob, 'repository', 'left', 'read')
    expect((await lab.refused(lab.root, 'pull-request.merge', other.input)).code).toBe('state_conflict')
  })
})
