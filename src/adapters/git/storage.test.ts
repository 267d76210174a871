import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../core/kernel/clock.ts'
import { silentLog } from '../../core/kernel/log.ts'
import { GitUnavailable } from '../../ports/git.ts'
import { commit, gitOut, openLab } from './git-lab.suite.ts'
import { sweep } from './sweep.ts'

test('a created repository is empty, valid, and has master as its head; creating it again changes nothing', async () => {
  const { git, path } = await openLab()
  await git.create('a1')
  expect(await git.exists('a1')).toBe(true)
  expect(await git.head('a1')).toBe('refs/heads/master')
  expect((await git.refs('a1')).size).toBe(0)
  await gitOut(path('a1'), ['fsck', '--full'])
  await git.setHead('a1', 'refs/heads/trunk')
  await git.create('a1')
  expect(await git.head('a1')).toBe('refs/heads/trunk')
  expect(await git.list()).toEqual(['a1'])
})

test('twenty calls that create one repository at once make one, and leave nothing beside it', async () => {
  const { git, root } = await openLab()
  await Promise.all(Array.from({ length: 20 }, () => git.create('same')))
  expect((await readdir(root)).sort()).toEqual(['.home', 'same.git'])
})

test('an id that is not of the strict form never becomes a path', async () => {
  const { git, home } = await openLab()
  for (const id of ['', '.', '..', '../x', 'a/b', 'A', 'a.git', '-a', 'a\0', 'a b', 'x'.repeat(65), '.aside-a']) {
    await expect(
      git.create(id).then(() => 'made'),
      id,
    ).rejects.toThrow(GitUnavailable)
    await expect((async () => git.exists(id))(), id).rejects.toThrow(GitUnavailable)
    await expect((async () => git.resolve(id, 'HEAD'))(), id).rejects.toThrow(GitUnavailable)
  }
  expect(await readdir(home)).toEqual(['repositories'])
})

test('a repository that is set aside is gone for every read, and purging removes it for good', async () => {
  const { git, root, working, path } = await openLab()
  await git.create('a1')
  await gitOut(await working(), ['push', '-q', path('a1'), 'master'])
  expect(await git.resolve('a1', 'refs/heads/master')).not.toBeNull()
  await git.setAside('a1')
  await git.setAside('a1')
  expect(await git.exists('a1')).toBe(false)
  expect(await git.list()).toEqual([])
  await expect(git.resolve('a1', 'refs/heads/master')).rejects.toThrow(GitUnavailable)
  await git.create('a1')
  expect(await git.resolve('a1', 'refs/heads/master')).toBeNull()
  await git.purge('a1')
  await git.purge('a1')
  expect((await readdir(root)).sort()).toEqual(['.home', 'a1.git'])
})

test('the size of a repository grows with what is pushed', async () => {
  const { git, working, path } = await openLab()
  await git.create('a1')
  const empty = await git.size('a1')
  await gitOut(await working({ 'a.bin': Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * i * 31) & 255)) }), [
    'push',
    '-q',
    path('a1'),
    'master',
  ])
  expect(await git.size('a1')).toBeGreaterThan(empty)
  await expect(git.size('missing')).rejects.toThrow(GitUnavailable)
})

test('a fork has all refs and the head of its source, and lives on without it', async () => {
  const { git, working, path } = await openLab()
  await git.create('source')
  const copy = await working({ 'README.md': 'one\n' })
  const tip = await commit(copy, { b: '2' })
  await gitOut(copy, ['tag', '-a', 'v1', '-m', 'v1'])
  await gitOut(copy, ['push', '-q', path('source'), 'master:refs/heads/trunk', 'v1', 'HEAD~1:refs/pull/7/head'])
  await git.setHead('source', 'refs/heads/trunk')
  await git.fork('copy', 'source')
  await git.setAside('source')
  await git.purge('source')
  expect(await git.head('copy')).toBe('refs/heads/trunk')
  expect(await git.resolve('copy', 'refs/heads/trunk')).toBe(tip)
  expect(await git.resolve('copy', 'refs/tags/v1')).toBe(tip)
  expect((await gitOut(path('copy'), ['for-each-ref', '--format=%(refname)'])).split('\n')).toEqual([
    'refs/heads/trunk',
    'refs/pull/7/head',
    'refs/tags/v1',
  ])
  await gitOut(path('copy'), ['fsck', '--full', '--strict'])
  expect(await readdir(`${path('copy')}/objects/info`)).toEqual([])
})

test('forking an empty repository gives an empty one; forking onto an existing or from a missing one fails and leaves nothing', async () => {
  const { git, root } = await openLab()
  await git.create('source')
  await git.fork('copy', 'source')
  expect((await git.refs('copy')).size).toBe(0)
  await expect(git.fork('copy', 'source')).rejects.toThrow(GitUnavailable)
  await expect(git.fork('other', 'missing')).rejects.toThrow(GitUnavailable)
  expect((await readdir(root)).sort()).toEqual(['.home', 'copy.git', 'source.git'])
})

test('forking a damaged repository fails and leaves nothing', async () => {
  const { git, root, working, path } = await openLab()
  await git.create('source')
  await gitOut(await working(), ['push', '-q', path('source'), 'master'])
  await writeFile(`${path('source')}/refs/heads/broken`, `${'1'.repeat(40)}\n`)
  await expect(git.fork('copy', 'source')).rejects.toThrow(GitUnavailable)
  expect((await readdir(root)).sort()).toEqual(['.home', 'source.git'])
})

test('after a crash the sweep removes half-made repositories, stale locks and abandoned quarantines, and touches nothing else', async () => {
  const { git, root, working, path } = await openLab()
  await git.create('a1')
  const copy = await working()
  await gitOut(copy, ['push', '-q', path('a1'), 'master'])
  await mkdir(`${root}/.new-0123/objects`, { recursive: true })
  await mkdir(`${path('a1')}/objects/tmp_objdir-incoming-Xy12/pack`, { recursive: true })
  for (const lock of ['refs/heads/master.lock', 'HEAD.lock', 'packed-refs.lock', 'objects/pack/tmp_pack_abc'])
    await writeFile(`${path('a1')}/${lock}`, '')
  await commit(copy, { b: '2' })
  await expect(gitOut(copy, ['push', '-q', path('a1'), 'master'])).rejects.toThrow(/lock/)

  await sweep({ root, log: silentLog, clock: systemClock, storage: 'shared' })
  await expect(gitOut(copy, ['push', '-q', path('a1'), 'master'])).rejects.toThrow(/lock/) // young: it may belong to another server
  await sweep({ root, log: silentLog, clock: systemClock, storage: 'alone' })
  await gitOut(copy, ['push', '-q', path('a1'), 'master'])
  expect((await readdir(root)).sort()).toEqual(['.home', 'a1.git'])
  expect((await readdir(`${path('a1')}/objects/pack`)).filter((name) => name.startsWith('tmp_'))).toEqual([])
})

test('a git that outlived a killed server is ended before anything else, but not when other servers use the storage', async () => {
  const { git, root, path } = await openLab()
  await git.create('a1')
  const orphan = spawn('git', [`--git-dir=${path('a1')}`, 'cat-file', '--batch'], {
    env: { PATH: '/usr/bin:/bin', CAPSTAN_GIT_ROOT: root },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const stranger = spawn('git', [`--git-dir=${path('a1')}`, 'cat-file', '--batch'], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(orphan, 'exit')
  for (const child of [orphan, stranger]) {
    child.stdin.write('HEAD\n')
    await once(child.stdout, 'data')
  }
  await sweep({ root, log: silentLog, clock: systemClock, storage: 'shared' })
  expect(orphan.exitCode ?? orphan.signalCode).toBeNull()
  await sweep({ root, log: silentLog, clock: systemClock, storage: 'alone' })
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
  stranger.stdin.end()
  await once(stranger, 'exit')
})
