import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commit, gitOut } from '../../adapters/git/git-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'

let lab: RepositoryLab
let copy: string
let one: string
let two: string

beforeAll(async () => {
  lab = await openRepositoryLab()
  copy = await mkdtemp(`${tmpdir()}/capstan-contents-`)
  const made = await lab.make('read')
  await gitOut(copy, ['init', '-q', '-b', 'master', copy])
  one = await commit(copy, { 'README.md': 'one\n', 'src/main.ts': 'main', 'src/deep/x.txt': 'x', 'bytes.bin': Buffer.from([0, 255, 1]) }, 'one')
  await gitOut(copy, ['tag', '-a', 'v1', '-m', 'v1'])
  await symlink('/etc/passwd', `${copy}/link`)
  two = await commit(copy, { 'README.md': 'two\n' }, 'two')
  await gitOut(copy, ['branch', 'side', one])
  await gitOut(copy, ['push', '-q', `${lab.folder}/repositories/${made.id}.git`, 'master', 'side', 'v1'])
})
afterAll(async () => {
  await lab.close()
  await rm(copy, { recursive: true, force: true })
})

type Items = { items: Record<string, unknown>[]; next: string | null; revision?: string | null }
const list = (verb: string, input: object = {}) => lab.as<Items>(`repository.list-${verb}`, { repository: 'read', ...input })
const code = async (operation: string, input: object) => (await lab.refused(lab.root, operation, { repository: 'read', ...input })).code

test('branches and tags by name, annotated tags with the commit that they lead to', async () => {
  expect((await list('branches')).items).toEqual([
    { name: 'master', commit: two, default: true },
    { name: 'side', commit: one, default: false },
  ])
  expect((await list('tags')).items).toEqual([{ name: 'v1', commit: one }])
  const first = await list('branches', { limit: 1 })
  expect((await list('branches', { limit: 1, cursor: first.next })).items).toMatchObject([{ name: 'side' }])
})

test('commits newest first; the pages of one list belong to one commit', async () => {
  const first = await list('commits', { limit: 1 })
  expect(first.items).toMatchObject([{ id: two, parents: [one], message: 'two\n', author: { name: 'Ann', email: 'ann@lab.test' } }])
  expect(await list('commits', { limit: 1, cursor: first.next, revision: 'side' })).toMatchObject({ items: [{ id: one }], next: null, revision: two })
})

test.each([
  ['a branch', () => 'side'],
  ['a tag', () => 'v1'],
  ['a full name', () => 'refs/heads/side'],
  ['an id', () => one],
])('a file at %s', async (_, revision) => {
  const file = await lab.as('repository.get-file', { repository: 'read', path: 'README.md', revision: revision() })
  expect(file).toMatchObject({ content: 'one\n', encoding: 'utf-8', type: 'file', revision: one, size: 4 })
})

test('bytes come in base64, and a link is its target, never what is there', async () => {
  expect(await lab.as('repository.get-file', { repository: 'read', path: 'bytes.bin' })).toMatchObject({ encoding: 'base64', content: 'AP8B' })
  expect(await lab.as('repository.get-file', { repository: 'read', path: 'link' })).toMatchObject({ type: 'link', content: '/etc/passwd' })
})

test('what is not there is not found: files, folders as files, revisions, climbing paths', async () => {
  for (const path of ['missing', 'src', '../read', 'src/../README.md', '', 'README.md/x'])
    expect(await code('repository.get-file', { path }), path).toBe('not_found')
  for (const revision of ['nothing', 'f'.repeat(40), '--help', 'master^', 'master:README.md', 'a..b']) {
    const fault = await lab.refused(lab.root, 'repository.get-file', { repository: 'read', path: 'README.md', revision })
    expect([fault.code, fault.context.kind], revision).toEqual(['not_found', 'revision'])
  }
})

test('folders are listed one level or all, page by page', async () => {
  expect((await list('files')).items.map(({ path, type }) => [path, type])).toEqual([
    ['README.md', 'file'],
    ['bytes.bin', 'file'],
    ['link', 'link'],
    ['src', 'folder'],
  ])
  const all = await list('files', { recursive: true, path: '/src/', revision: 'side' })
  expect(all.items.map(({ path }) => path)).toEqual(['src/deep', 'src/deep/x.txt', 'src/main.ts'])
  const first = await list('files', { recursive: true, limit: 5 })
  const second = await list('files', { recursive: true, limit: 5, cursor: first.next })
  expect([...first.items, ...second.items].map(({ path }) => path)).toEqual([
    'README.md',
    'bytes.bin',
    'link',
    'src',
    'src/deep',
    'src/deep/x.txt',
    'src/main.ts',
  ])
  expect(await code('repository.list-files', { path: 'README.md' })).toBe('not_found')
})

test('an empty repository has empty lists, and nothing that was named', async () => {
  await lab.make('empty')
  for (const verb of ['branches', 'tags', 'commits', 'files'])
    expect((await lab.as<Items>(`repository.list-${verb}`, { repository: 'empty' })).items).toEqual([])
  expect((await lab.refused(lab.root, 'repository.list-commits', { repository: 'empty', revision: 'master' })).code).toBe('not_found')
})

test('a cursor that is none of ours is refused', async () => {
  const cursor = Buffer.from(JSON.stringify(['--all', 1])).toString('base64url')
  expect(await code('repository.list-commits', { cursor })).toBe('invalid_input')
  expect(await code('repository.list-files', { cursor })).toBe('not_found')
})

test('readers read, others do not know of it', async () => {
  const bob = await lab.user('bob')
  for (const operation of ['list-branches', 'list-tags', 'list-commits', 'list-files', 'list-pushes'])
    expect((await lab.refused(bob, `repository.${operation}`, { repository: 'read' })).code).toBe('not_found')
  await lab.grant(bob, 'repository', 'read', 'read')
  expect(await lab.call(bob, 'repository.get-file', { repository: 'read', path: 'README.md' })).toMatchObject({ content: 'two\n' })
})
