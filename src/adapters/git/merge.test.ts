import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { GitUnavailable } from '../../ports/git.ts'
import type { GitMerge } from '../../ports/git.ts'
import { gitOut, openLab } from './git-lab.suite.ts'
import type { Lab } from './git-lab.suite.ts'

const main = 'refs/heads/main'
const ann = { name: 'Ann', email: 'ann@lab.test', at: Date.parse('2026-05-04T03:02:01Z'), zone: '+0000' }
const signal = new AbortController().signal

async function made(lab: Lab, id: string, branch: string, parent: string | null, files: Record<string, string>): Promise<string> {
  const list = Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) }))
  return lab.git.commit(id, { branch, parent, files: list, author: ann, message: 'x\n' })
}

/** `main` of r1 and `topic` of its fork r2, each one commit beyond what they have in common. */
async function forked(main1: Record<string, string>, topic: Record<string, string>) {
  const lab = await openLab()
  await lab.git.create('r1')
  const base = await made(lab, 'r1', main, null, { a: '1\n2\n3\n' })
  await lab.git.fork('r2', 'r1')
  const ours = await made(lab, 'r1', main, base, main1)
  const theirs = await made(lab, 'r2', main, base, topic)
  const merge: GitMerge = { branch: main, ours, theirs, source: 'r2', commit: { author: ann, message: 'Both\n' } }
  return { lab, base, ours, theirs, merge }
}

const left = async (lab: Lab) => (await readdir(lab.root)).sort()
const objects = (lab: Lab, id: string) => gitOut(lab.path(id), ['cat-file', '--batch-all-objects', '--batch-check=%(objectname)'])

describe('two commits of two repositories', () => {
  test('have the commit in common from which the fork was made, or none', async () => {
    const { lab, base, ours, theirs } = await forked({ b: '1\n' }, { c: '1\n' })
    expect(await lab.git.mergeBase('r1', ours, theirs, { source: 'r2' })).toBe(base)
    expect(await lab.git.mergeBase('r1', ours, base)).toBe(base)
    const orphan = await made(lab, 'r2', 'refs/heads/orphan', null, { z: '1\n' })
    expect(await lab.git.mergeBase('r1', ours, orphan, { source: 'r2' })).toBeNull()
    await expect(lab.git.mergeBase('r1', ours, theirs)).rejects.toBeInstanceOf(GitUnavailable)
    await expect(lab.git.mergeBase('r1', '--all', theirs)).rejects.toBeInstanceOf(GitUnavailable)
  })

  test('are tried without a trace in either repository', async () => {
    const { lab, ours, theirs } = await forked({ b: '1\n' }, { c: '1\n' })
    const before = [await objects(lab, 'r1'), await objects(lab, 'r2')]
    expect(await lab.git.tryMerge('r1', ours, theirs, { source: 'r2', signal })).toEqual({ tree: expect.stringMatching(/^[0-9a-f]{40}$/) })
    expect([await objects(lab, 'r1'), await objects(lab, 'r2')]).toEqual(before)
    expect(await left(lab)).toEqual(['.home', 'r1.git', 'r2.git'])
  })

  test('become one commit with both as parents, whole in the target', async () => {
    const { lab, ours, theirs, merge } = await forked({ a: '0\n1\n2\n3\n' }, { a: '1\n2\n3\n4\n', 'd/e': 'new\n' })
    const told: string[] = []
    const done = await lab.git.merge('r1', merge, { signal, onMade: async (commit) => void told.push(commit) })
    const tip = await lab.git.resolve('r1', main)
    expect(done).toEqual({ commit: tip })
    expect(told).toEqual([tip])
    expect(await lab.git.log('r1', main, { limit: 1, skip: 0 })).toEqual([
      { id: tip, parents: [ours, theirs], author: ann, committer: ann, message: 'Both\n' },
    ])
    expect((await lab.git.log('r1', main, { limit: 9, skip: 0, without: ours })).map(({ id }) => id)).toEqual([tip, theirs])
    expect(await gitOut(lab.path('r1'), ['show', 'main:a'])).toBe('0\n1\n2\n3\n4')
    await lab.git.setAside('r2')
    expect(await gitOut(lab.path('r1'), ['fsck', '--strict', '--no-dangling'])).toBe('')
    expect(await left(lab)).toEqual(['.aside-r2', '.home', 'r1.git'])
  })
})

describe('nothing has changed', () => {
  test('after conflicts, which are named each once, whatever the names', async () => {
    const { lab, ours, merge } = await forked({ a: 'x\n', 'ü"': '1\n' }, { a: 'y\n', 'ü"': '2\n' })
    const before = await objects(lab, 'r1')
    expect(await lab.git.merge('r1', merge, { signal })).toEqual({ conflicts: ['a', 'ü"'] })
    expect(await lab.git.resolve('r1', main)).toBe(ours)
    expect(await objects(lab, 'r1')).toBe(before)
    expect(await left(lab)).toEqual(['.home', 'r1.git', 'r2.git'])
  })

  test('where the branch has moved, before or while it is merged', async () => {
    const { lab, ours, base, merge } = await forked({ b: '1\n' }, { c: '1\n' })
    expect(await lab.git.merge('r1', { ...merge, ours: base }, { signal })).toBe('conflict')
    let moved = ''
    const onMade = async () => void (moved = await made(lab, 'r1', main, ours, { late: '1\n' }))
    expect(await lab.git.merge('r1', merge, { signal, onMade })).toBe('conflict')
    expect(await lab.git.resolve('r1', main)).toBe(moved)
  })

  test('where who is told of the commit refuses it', async () => {
    const { lab, ours, merge } = await forked({ b: '1\n' }, { c: '1\n' })
    await expect(lab.git.merge('r1', merge, { signal, onMade: () => Promise.reject(new Error('no')) })).rejects.toThrow('no')
    expect(await lab.git.resolve('r1', main)).toBe(ours)
  })
})

test('names that git would not take as an author do not stop a merge', async () => {
  for (const name of ['', '.', ' <>\n', '\u0001;']) {
    const { lab, merge } = await forked({ b: '1\n' }, { c: '1\n' })
    const done = await lab.git.merge('r1', { ...merge, commit: { author: { ...ann, name, email: '' }, message: '' } }, { signal })
    expect(done, JSON.stringify(name)).toHaveProperty('commit')
    expect((await lab.git.log('r1', main, { limit: 1, skip: 0 }))[0]?.author).toEqual({ ...ann, name: 'unknown', email: '' })
  }
})

test('a merge driver and attributes of the repository run nothing', async () => {
  const { lab, merge } = await forked({ a: 'x\n', '.gitattributes': '* merge=evil\n' }, { a: 'y\n', '.gitattributes': '* merge=evil\n' })
  await gitOut(lab.path('r1'), ['config', 'merge.evil.driver', `touch ${lab.home}/ran`])
  await gitOut(lab.path('r2'), ['config', 'merge.evil.driver', `touch ${lab.home}/ran`])
  expect(await lab.git.merge('r1', merge, { signal })).toEqual({ conflicts: ['a'] })
  expect(await readdir(lab.home)).toEqual(['repositories'])
})
