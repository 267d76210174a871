import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrograms } from '../../adapters/programs/programs.ts'
import { pushTree } from '../../../test/support/git.ts'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

const hg = (await createPrograms().found()).find(({ name }) => name === 'hg')

let lab: KallitheaLab
let incoming: string
beforeAll(async () => {
  lab = await openKallitheaLab()
  incoming = join(lab.app.folder, 'data', 'incoming')
})
afterAll(() => lab?.close())

const rescan = (args: object = {}) => lab.result(lab.root, 'rescan_repos', args)

test('a repository of git that was put there is taken in with its history and its groups, and without its hooks', async () => {
  mkdirSync(join(incoming, 'old/team'), { recursive: true })
  const bare = join(incoming, 'old/team/app')
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', bare])
  await pushTree(`file://${bare}`, { 'README.md': 'read me' })
  writeFileSync(join(bare, 'hooks/post-receive'), '#!/bin/sh\n', { mode: 0o755 })
  expect(await rescan()).toEqual({ added: ['old/team/app'], removed: [] })
  const repo = await lab.result(lab.root, 'get_repo', { repoid: 'old/team/app' })
  expect(repo).toMatchObject({ repo_type: 'git', owner: 'root' })
  expect(repo.last_changeset.raw_id).toMatch(/^[0-9a-f]{40}$/)
  expect((await lab.result(lab.root, 'get_repo_group', { repogroupid: 'old/team' })).parent_group).toBe('old')
  const nodes = await lab.result(lab.root, 'get_repo_nodes', { repoid: 'old/team/app', revision: repo.last_changeset.raw_id, root_path: '' })
  expect(nodes).toEqual([{ name: 'README.md', type: 'file' }])
  const hooks = readdirSync(join(lab.app.folder, 'data', 'repositories'), { recursive: true }).filter((name) => String(name).includes('post-receive'))
  expect(hooks).toEqual([])
  expect(await rescan()).toEqual({ added: [], removed: [] })
})

test.skipIf(hg === undefined)('a repository of hg is taken in as well, and its configuration is not', async () => {
  const folder = join(incoming, 'mercury')
  mkdirSync(folder, { recursive: true })
  const run = (...args: string[]) => execFileSync(hg?.path ?? 'hg', ['-R', folder, ...args], { env: { HGRCPATH: '', HGUSER: 'ann <ann@lab.test>' } })
  execFileSync(hg?.path ?? 'hg', ['init', folder], { env: { HGRCPATH: '' } })
  writeFileSync(join(folder, 'a.txt'), 'a')
  run('add', join(folder, 'a.txt'))
  run('commit', '-m', 'first')
  const touched = join(lab.app.folder, 'touched')
  writeFileSync(join(folder, '.hg/hgrc'), `[hooks]\noutgoing = touch ${touched}\npreoutgoing = touch ${touched}\n`)
  expect(await rescan()).toEqual({ added: ['mercury'], removed: [] })
  expect(await lab.result(lab.root, 'get_repo', { repoid: 'mercury' })).toMatchObject({ repo_type: 'hg', last_changeset: { message: 'first' } })
  expect(readdirSync(lab.app.folder)).not.toContain('touched')
})

test('what is taken in belongs to the first administrator, whoever asks', async () => {
  const later = await lab.member('later', { administrator: true })
  execFileSync('git', ['init', '-q', '--bare', join(incoming, 'theirs/app')])
  expect(await lab.result(later, 'rescan_repos')).toEqual({ added: ['theirs/app'], removed: [] })
  const { owner, followers } = await lab.result(later, 'get_repo', { repoid: 'theirs/app' })
  expect([owner, followers.map(({ username }: { username: string }) => username)]).toEqual(['root', ['root']])
  expect((await lab.result(later, 'get_repo_group', { repogroupid: 'theirs' })).owner).toBe('root')
})

test('what cannot be taken in stays, and does not keep the others from it', async () => {
  for (const path of ['bad name', 'old', 'broken']) {
    for (const part of ['objects', 'refs']) mkdirSync(join(incoming, path, part), { recursive: true })
    writeFileSync(join(incoming, path, 'HEAD'), path === 'broken' ? 'x' : 'ref: refs/heads/main\n')
  }
  execFileSync('git', ['init', '-q', '--bare', join(incoming, 'fine')])
  expect((await rescan()).added).toEqual(['fine'])
  expect(await lab.error(lab.root, 'get_repo', { repoid: 'broken' })).not.toBeNull()
})

test('a repository that has lost its storage is named, and deleted when asked to', async () => {
  await lab.result(lab.root, 'create_repo', { repo_name: 'lost', repo_type: 'git' })
  const { id } = await lab.app.system('repository.get', { repository: 'lost' })
  await lab.app.services.git.setAside(id)
  expect((await rescan()).removed).toEqual(['lost'])
  expect(await lab.error(lab.root, 'get_repo', { repoid: 'lost' })).toBeNull()
  expect((await rescan({ remove_obsolete: true })).removed).toEqual(['lost'])
  expect(await lab.error(lab.root, 'get_repo', { repoid: 'lost' })).toBe('repository `lost` does not exist')
})
