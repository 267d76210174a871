import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import type { GitChange } from '../../ports/git.ts'
import { below, gitOut, openLab } from './git-lab.suite.ts'
import type { Lab } from './git-lab.suite.ts'

const master = 'refs/heads/master'
const ann = { name: 'Ann', email: 'ann@lab.test', at: Date.parse('2026-05-04T03:02:01Z'), zone: '+0230' }
const bytes = (text: string) => Buffer.from(text)

function change(more: Partial<GitChange> = {}): GitChange {
  return { branch: master, parent: null, files: [{ path: 'a.txt', content: bytes('one\n') }], author: ann, message: 'First\n', ...more }
}

async function opened(): Promise<Lab> {
  const lab = await openLab()
  await lab.git.create('r1')
  return lab
}

const show = (lab: Lab, ...args: string[]) => gitOut(lab.path('r1'), args)

describe('a commit of whole files', () => {
  test('is the first one of an empty repository, as git itself sees it', async () => {
    const lab = await opened()
    const bob = { name: 'Bob', email: 'bob@lab.test', at: 1_000_000_000_000, zone: '-0100' }
    const files = [
      { path: 'run.sh', content: bytes('#!/bin/sh\n'), executable: true },
      { path: 'deep/er/bytes', content: Buffer.from([0, 255, 10, 13]) },
      { path: 'empty', content: bytes('') },
    ]
    const id = await lab.git.commit('r1', change({ files, committer: bob, message: 'Eins\n\nzwei\n' }))
    expect(await show(lab, 'rev-parse', master)).toBe(id)
    expect(await show(lab, 'ls-tree', '-r', '--format=%(objectmode) %(objectsize) %(path)', id)).toBe(
      '100644 4 deep/er/bytes\n100644 0 empty\n100755 10 run.sh',
    )
    expect(await lab.git.log('r1', master, { limit: 5, skip: 0 })).toEqual([
      { id, parents: [], author: ann, committer: bob, message: 'Eins\n\nzwei\n' },
    ])
    expect(await show(lab, 'fsck', '--strict', '--no-dangling')).toBe('')
  })

  test('changes, adds and deletes on top of its parent and leaves the rest as it is', async () => {
    const lab = await opened()
    const files = ['keep', 'edit', 'old/one', 'old/two'].map((path) => ({ path, content: bytes(`${path}\n`) }))
    const parent = await lab.git.commit('r1', change({ files }))
    const next = [
      { path: 'old/new', content: bytes('written though its folder goes\n') },
      { path: 'old', content: null },
      { path: 'never-was', content: null },
      { path: 'edit', content: bytes('edited\n') },
    ]
    const id = await lab.git.commit('r1', change({ parent, files: next, message: 'Second' }))
    expect(await show(lab, 'ls-tree', '-r', '--name-only', id)).toBe('edit\nkeep\nold/new')
    expect(await show(lab, 'show', `${id}:edit`)).toBe('edited')
    expect(await show(lab, 'rev-list', '--count', id)).toBe('2')
  })

  test('is a conflict when the branch is elsewhere, and then nothing has moved', async () => {
    const lab = await opened()
    const first = await lab.git.commit('r1', change())
    expect(await lab.git.commit('r1', change())).toBe('conflict')
    expect(await lab.git.commit('r1', change({ branch: 'refs/heads/other', parent: first }))).toBe('conflict')
    expect(await lab.git.commit('r1', change({ branch: 'refs/heads/master/below' }))).toBe('conflict')
    expect(await show(lab, 'for-each-ref', '--format=%(objectname) %(refname)')).toBe(`${first} ${master}`)
  })

  test('wins for one of many that come at once, and the others hear of a conflict', async () => {
    const lab = await opened()
    const parent = await lab.git.commit('r1', change())
    const ends = await Promise.all([1, 2, 3, 4].map((n) => lab.git.commit('r1', change({ parent, message: `by ${n}` }))))
    const won = ends.filter((end) => end !== 'conflict')
    expect(won).toHaveLength(1)
    expect(await show(lab, 'rev-parse', master)).toBe(won[0])
    expect(await show(lab, 'fsck', '--no-dangling')).toBe('')
  })

  test('is one pack and leaves no other ref, lock or report behind, also when git refuses it', async () => {
    const lab = await opened()
    const parent = await lab.git.commit('r1', change())
    const missing = 'b'.repeat(40)
    await lab.git.commit('r1', change({ parent, message: 'again' }))
    // A ref that names a commit which is not there: git gives up in the middle.
    await writeFile(`${lab.path('r1')}/refs/heads/broken`, `${missing}\n`)
    await expect(lab.git.commit('r1', change({ branch: 'refs/heads/broken', parent: missing }))).rejects.toBeInstanceOf(GitUnavailable)
    const left = (await below(lab.path('r1'))).filter((name) => /crash|capstan|\.lock$|\.keep$|tmp_/.test(name))
    expect(left).toEqual([])
    expect((await below(`${lab.path('r1')}/objects`)).filter((name) => name.endsWith('.pack'))).toHaveLength(2)
    expect((await below(`${lab.path('r1')}/objects`)).filter((name) => /^[0-9a-f]{2}\//.test(name))).toEqual([])
  })

  test('takes names with blanks, quotes, stars and other scripts as they are', async () => {
    const lab = await opened()
    const names = ['"quoted"', 'with blank ', '-n', '*?[x]', 'größe/日本', 'a:b', '~', 'x"\u00e9']
    const id = await lab.git.commit('r1', change({ files: names.map((path) => ({ path, content: bytes(path) })) }))
    const listed = await show(lab, 'ls-tree', '-r', '-z', '--name-only', id)
    expect(listed.split('\0').filter(Boolean).sort()).toEqual([...names].sort())
    for (const path of names) expect((await lab.git.entry('r1', id, path))?.type).toBe('blob')
  })

  test.each([
    '',
    '/etc/passwd',
    '../out',
    'a/../b',
    'a//b',
    'a/',
    './a',
    '.git/config',
    'a/.GIT/hooks/x',
    '.git./x',
    'git~1/x',
    '.g\u200cit/x',
    'a\\..\\b',
    'a\0b',
    'line\nM 100644 inline x',
    'tab\t',
    '.gitmodules',
    'a/.GitModules ',
    'gitmod~1',
    '\ud800',
    'x'.repeat(300),
  ])('refuses the path %j', async (path) => {
    const lab = await opened()
    for (const content of [bytes('x'), null])
      await expect(lab.git.commit('r1', change({ files: [{ path, content }] }))).rejects.toBeInstanceOf(GitContentRefused)
    expect([...(await lab.git.refs('r1')).keys()]).toEqual([])
  })

  test('refuses two files of one name, and a file below a file', async () => {
    const lab = await opened()
    for (const paths of [
      ['a', 'a'],
      ['a/b', 'a'],
      ['a', 'a/b/c'],
    ])
      await expect(lab.git.commit('r1', change({ files: paths.map((path) => ({ path, content: bytes('x') })) }))).rejects.toBeInstanceOf(
        GitContentRefused,
      )
  })

  test('keeps names and messages from becoming commands of the stream', async () => {
    const lab = await opened()
    const evil = { name: 'Eve <x>\ncommitter root', email: 'e@x> 0 +0000\nM 100644 inline evil', at: Number.NaN, zone: 'now' }
    const message = 'text\n\nfrom 0\nM 100644 inline evil\ndata 1\nx\ndone\n\0'
    const id = await lab.git.commit('r1', change({ author: evil, message }))
    const [made] = await lab.git.log('r1', id, { limit: 1, skip: 0 })
    expect(made?.author).toMatchObject({ name: 'Eve x committer root', at: 0, zone: '+0000' })
    expect(made?.message).toBe(message.slice(0, -1))
    expect(await show(lab, 'ls-tree', '-r', '--name-only', id)).toBe('a.txt')
    expect(await show(lab, 'fsck', '--strict', '--no-dangling')).toBe('')
  })

  test('is told of before the branch moves, and who is told can still refuse it', async () => {
    const lab = await opened()
    const told: string[] = []
    const onMade = async (id: string) => {
      told.push(id, String((await lab.git.refs('r1')).get(master)))
      if (told.length > 2) throw new Error('no')
    }
    const parent = await lab.git.commit('r1', change(), { onMade })
    expect(told).toEqual([parent, 'undefined'])
    await expect(lab.git.commit('r1', change({ parent }), { onMade })).rejects.toThrow('no')
    expect((await lab.git.refs('r1')).get(master)).toBe(parent)
  })

  test('goes to branches only', async () => {
    const lab = await opened()
    for (const branch of ['master', 'refs/tags/v1', 'refs/heads/../../x', 'HEAD'])
      await expect(lab.git.commit('r1', change({ branch }))).rejects.toBeInstanceOf(GitUnavailable)
    expect(await readFile(`${lab.path('r1')}/HEAD`, 'utf8')).toBe('ref: refs/heads/master\n')
  })
})
