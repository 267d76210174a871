import { constants } from 'node:fs'
import { access, lstat, mkdir, readFile, readdir, readlink, symlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import { below, gitOut, gitProcesses, openLab, until } from './git-lab.suite.ts'
import type { Lab } from './git-lab.suite.ts'

const never = new AbortController().signal
const wide = { limitBytes: 1e9, limitFiles: 1e6, signal: never }

async function lab() {
  const opened = await openLab()
  await opened.git.create('r')
  const folder = `${opened.home}/out`
  await mkdir(folder)
  return { ...opened, folder }
}

async function blob({ path }: Lab, content: string): Promise<string> {
  return gitOut(path('r'), ['hash-object', '-w', '--stdin'], { input: content })
}

/** A tree of exactly these entries, which git itself would not make. */
async function rawTree({ path }: Lab, entries: readonly [mode: string, name: string | Buffer, oid: string][]): Promise<string> {
  const bytes = Buffer.concat(
    entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(oid, 'hex')]),
  )
  return gitOut(path('r'), ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], { input: bytes })
}

test('a checkout has files, folders, executable bits and links as they were committed, and no .git', async () => {
  const opened = await lab()
  const { git, working, path, folder } = opened
  const copy = await working({ 'a.txt': 'a', 'd/e/f.bin': Buffer.from([0, 255, 10, 13]), 'run.sh': 'x', 'bad\nname': 'n' })
  await symlink('../nowhere', `${copy}/d/link`)
  await gitOut(copy, ['update-index', '--add', '--cacheinfo', `160000,${'a'.repeat(40)},sub`])
  await gitOut(copy, ['add', '-A', '--', 'd'])
  await gitOut(copy, ['update-index', '--chmod=+x', 'run.sh'])
  await gitOut(copy, ['commit', '-qm', 'x'])
  await gitOut(copy, ['push', '-q', path('r'), 'master'])
  const tip = (await git.resolve('r', 'refs/heads/master')) ?? ''
  await git.checkout('r', tip, folder, wide)
  expect(await below(folder)).toEqual(['a.txt', 'bad\nname', 'd', 'd/e', 'd/e/f.bin', 'd/link', 'run.sh', 'sub'])
  expect(await readFile(`${folder}/d/e/f.bin`)).toEqual(Buffer.from([0, 255, 10, 13]))
  expect(await readlink(`${folder}/d/link`)).toBe('../nowhere')
  expect((await lstat(`${folder}/run.sh`)).mode & 0o777 & ~0o022).toBe(0o755)
  await expect(access(`${folder}/a.txt`, constants.X_OK)).rejects.toThrow()
  expect((await lstat(`${folder}/sub`)).isDirectory()).toBe(true)
})

test('names that would lead outside, or into a .git, are refused and nothing stays', async () => {
  const opened = await lab()
  const file = await blob(opened, 'evil')
  const inner = await rawTree(opened, [['100644', 'config', file]])
  const names = [
    '..',
    '.',
    '',
    '../x',
    'a/b',
    '/etc/x',
    '.git',
    '.GIT',
    '.Git',
    '.git.',
    '.git ',
    '.git. .',
    'git~1',
    'GIT~1',
    '.git::$INDEX_ALLOCATION',
    '.git:x',
    '.g\u200cit',
    '.gi\u200dt\ufeff',
    'a\\..\\..\\b',
    '.git\\config',
    '..\\x',
    '...',
    '. ',
    'x'.repeat(300),
  ]
  for (const name of names) {
    for (const mode of ['100644', '120000', '40000', '160000']) {
      const tree = await rawTree(opened, [
        ['100644', 'fine', file],
        [mode, name, mode === '40000' ? inner : file],
      ])
      await expect(opened.git.checkout('r', tree, opened.folder, wide), `${mode} ${JSON.stringify(name)}`).rejects.toThrow(GitContentRefused)
      expect(await below(opened.folder)).toEqual([])
    }
  }
  expect((await readdir(opened.home)).sort()).toEqual(['out', 'repositories'])
})

test('a link and a folder, or two entries, of one name cannot be used to write through', async () => {
  const opened = await lab()
  await mkdir(`${opened.home}/outside`)
  const target = await blob(opened, `${opened.home}/outside`)
  const file = await blob(opened, 'evil')
  const inner = await rawTree(opened, [['100644', 'pwned', file]])
  const trees = [
    await rawTree(opened, [
      ['120000', 'x', target],
      ['40000', 'x', inner],
    ]),
    await rawTree(opened, [
      ['40000', 'x', inner],
      ['120000', 'x', target],
    ]),
    await rawTree(opened, [
      ['120000', 'x', target],
      ['100644', 'x', file],
    ]),
  ]
  for (const tree of trees) await expect(opened.git.checkout('r', tree, opened.folder, wide)).rejects.toThrow(GitContentRefused)
  const both = await rawTree(opened, [
    ['120000', 'A', target],
    ['40000', 'a', inner],
  ])
  await opened.git.checkout('r', both, opened.folder, wide).catch(() => {}) // on a file system without case it is an error
  expect(await readdir(`${opened.home}/outside`)).toEqual([])
})

test('a link out of the tree is written as a link and never followed', async () => {
  const opened = await lab()
  await writeFile(`${opened.home}/secret`, 'hush')
  const tree = await rawTree(opened, [['120000', 'out', await blob(opened, `${opened.home}/secret`)]])
  await opened.git.checkout('r', tree, opened.folder, wide)
  expect((await lstat(`${opened.folder}/out`)).isSymbolicLink()).toBe(true)
  for (const bad of ['', 'a\0b', 'x'.repeat(5000)]) {
    await expect(
      opened.git.checkout('r', await rawTree(opened, [['120000', 'l', await blob(opened, bad)]]), await fresh(opened), wide),
      bad.slice(0, 5),
    ).rejects.toThrow(GitContentRefused)
  }
})

let folders = 0
async function fresh({ home }: Lab): Promise<string> {
  const folder = `${home}/out-${folders++}`
  await mkdir(folder)
  return folder
}

test('a tree that is too large, in bytes or in files, is refused before it is on disk', async () => {
  const opened = await lab()
  const copy = await opened.working({ a: 'x'.repeat(1000), b: 'y'.repeat(1000), 'd/c': 'z' })
  await gitOut(copy, ['push', '-q', opened.path('r'), 'master'])
  const tip = (await opened.git.resolve('r', 'refs/heads/master')) ?? ''
  await opened.git.checkout('r', tip, await fresh(opened), { limitBytes: 2001, limitFiles: 4, signal: never })
  for (const limits of [
    { limitBytes: 2000, limitFiles: 4 },
    { limitBytes: 2001, limitFiles: 3 },
  ]) {
    await expect(opened.git.checkout('r', tip, opened.folder, { ...limits, signal: never })).rejects.toThrow(GitContentRefused)
    expect(await below(opened.folder)).toEqual([])
  }
})

test('a tree that folds into a million files costs no more than its limit', async () => {
  const opened = await lab()
  const file = await blob(opened, 'x')
  let tree = await rawTree(
    opened,
    Array.from({ length: 10 }, (_, i) => ['100644', `f${i}`, file]),
  )
  for (let depth = 0; depth < 6; depth++)
    tree = await rawTree(
      opened,
      Array.from({ length: 10 }, (_, i) => ['40000', `d${i}`, tree]),
    )
  await expect(opened.git.checkout('r', tree, opened.folder, { ...wide, limitFiles: 500 })).rejects.toThrow(GitContentRefused)
  expect(await below(opened.folder)).toEqual([])
})

test('a missing file or tree is GitUnavailable, and nothing stays', async () => {
  const opened = await lab()
  const file = await blob(opened, 'x')
  for (const entry of [
    ['100644', 'gone', '4'.repeat(40)],
    ['40000', 'gone', '4'.repeat(40)],
    ['40000', 'kind', file],
    ['120000', 'gone', '4'.repeat(40)],
  ] as const) {
    const tree = await rawTree(opened, [['100644', 'a', file], [...entry]])
    await expect(opened.git.checkout('r', tree, opened.folder, wide), entry[1]).rejects.toThrow(GitUnavailable)
    expect(await below(opened.folder)).toEqual([])
  }
})

test('a folder that is not empty, or a link, is not checked out over', async () => {
  const opened = await lab()
  const tree = await rawTree(opened, [['100644', 'a', await blob(opened, 'x')]])
  await writeFile(`${opened.folder}/mine`, 'mine')
  await expect(opened.git.checkout('r', tree, opened.folder, wide)).rejects.toThrow(GitUnavailable)
  expect(await below(opened.folder)).toEqual(['mine'])
})

test('an aborted checkout rejects with the reason, empties the folder and leaves no process', async () => {
  const opened = await lab()
  const copy = await opened.working(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`d${i % 30}/${i}`, `${i}`])))
  await gitOut(copy, ['push', '-q', opened.path('r'), 'master'])
  const tip = (await opened.git.resolve('r', 'refs/heads/master')) ?? ''
  const stop = new AbortController()
  const running = opened.git.checkout('r', tip, opened.folder, { ...wide, signal: stop.signal })
  running.catch(() => {})
  await until('it has begun', async () => (await readdir(opened.folder)).length > 0)
  stop.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  expect(await below(opened.folder)).toEqual([])
  await until('only the reader for reads is left', () => gitProcesses(opened.root).length <= 1)
})
