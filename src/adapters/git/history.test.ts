import { expect, test } from 'vitest'
import { commit, gitOut, openLab } from './git-lab.suite.ts'

const all = { branch: null, from: null, to: null, since: null, until: null, order: 'oldest-first', limit: 1000 } as const

async function numbered() {
  const lab = await openLab()
  await lab.git.create('one')
  const copy = await lab.working()
  let seconds = 1_700_000_000
  const at = (moment: number) => ({ GIT_COMMITTER_DATE: `${moment} +0000`, GIT_AUTHOR_DATE: `${moment} +0000` })
  return {
    ...lab,
    copy,
    async more(name: string, moment = (seconds += 60)) {
      await gitOut(copy, ['commit', '-q', '--allow-empty', '-m', name], { env: at(moment) })
      return gitOut(copy, ['rev-parse', 'HEAD'])
    },
    push: (...refs: string[]) => gitOut(copy, ['push', '-q', '-f', lab.path('one'), ...refs]),
    ids: async () => (await lab.git.range('one', all))?.map(({ id }) => id),
    /** What git itself says of all refs. */
    truth: async () => (await gitOut(lab.path('one'), ['rev-list', '--all', '--date-order', '--reverse'])).split('\n'),
  }
}

test('numbers go on behind what was pushed before, and begin anew when what is pushed is older or something is gone', async () => {
  const { copy, more, push, ids, truth, git } = await numbered()
  await gitOut(copy, ['commit', '-q', '--amend', '--allow-empty', '-m', 'root'], {
    env: { GIT_COMMITTER_DATE: '1600000000 +0000', GIT_AUTHOR_DATE: '1600000000 +0000' },
  })
  await more('a')
  await push('HEAD:refs/heads/master')
  expect(await ids()).toEqual(await truth())
  const later = await more('b')
  await push('HEAD:refs/heads/master')
  expect([await ids(), await git.numberOf('one', later)]).toEqual([await truth(), 2])
  await gitOut(copy, ['checkout', '-q', '-b', 'side', 'HEAD~2'])
  const older = await more('older', 1_650_000_000)
  await push('side')
  expect([await ids(), await git.numberOf('one', older), await git.numberOf('one', later)]).toEqual([await truth(), 1, 3])
  await push(':refs/heads/side')
  expect([await ids(), await git.numberOf('one', older), await git.count('one')]).toEqual([await truth(), null, 3])
})

test('refs of every kind count, and of a branch is what leads to its tip', async () => {
  const { copy, more, push, truth, git, path } = await numbered()
  const one = await more('one')
  await gitOut(copy, ['tag', '-a', '-m', 'tag', 'v1'])
  await gitOut(copy, ['checkout', '-q', '-b', 'side', 'HEAD~1'])
  const two = await more('two')
  await push('v1', 'side')
  await gitOut(path('one'), ['update-ref', 'refs/pull/7/head', one])
  expect((await truth()).length).toBe(3)
  expect(await git.count('one')).toBe(3)
  const side = await git.range('one', { ...all, branch: 'refs/heads/side', order: 'newest-first' })
  const root = await gitOut(copy, ['rev-parse', 'HEAD~1'])
  expect(side?.map(({ id }) => id).sort()).toEqual([root, two].sort())
  expect(await git.range('one', { ...all, branch: 'refs/heads/none' })).toBeNull()
})

test('a merge is told against its first parent, and names that look like ids are names', async () => {
  const { copy, more, push, git } = await numbered()
  const like = 'a'.repeat(40)
  await more('base')
  await gitOut(copy, ['checkout', '-q', '-b', 'side'])
  const side = await commit(copy, { [like]: 'x', D: 'x' })
  await gitOut(copy, ['checkout', '-q', 'master'])
  await commit(copy, { main: 'x' })
  await gitOut(copy, ['merge', '-q', '--no-edit', 'side'])
  const merge = await gitOut(copy, ['rev-parse', 'HEAD'])
  await push('master')
  const added = { added: ['D', like], changed: [], removed: [] }
  expect(await git.changed('one', [merge, side])).toEqual([added, added])
})

test('what a commit changes is told whether it was asked before, and one that comes later is not taken for empty', async () => {
  const { copy, more, push, git } = await numbered()
  await more('base')
  await push('master')
  const none = { added: [], changed: [], removed: [] }
  const first = await commit(copy, { a: '1' })
  expect(await git.changed('one', [first])).toEqual([none])
  await push('master')
  const second = await commit(copy, { a: '2', b: '1' })
  await push('master')
  const told = [
    { added: ['b'], changed: ['a'], removed: [] },
    { added: ['a'], changed: [], removed: [] },
  ]
  expect(await git.changed('one', [first])).toEqual([told[1]])
  for (let round = 0; round < 2; round++) expect(await git.changed('one', [second, first])).toEqual(told)
})

test('a change of any ref is seen at once, packed or not, tags and refs beside branches as well', async () => {
  const { copy, more, push, truth, ids, path, git } = await numbered()
  const bare = (...args: string[]) => gitOut(path('one'), args)
  const base = await more('base')
  await push('master')
  const seen = async () => expect(await ids()).toEqual(await truth())
  await seen()
  await bare('pack-refs', '--all')
  await seen()
  await gitOut(copy, ['checkout', '-q', '-b', 'side'])
  const side = await more('side')
  await gitOut(copy, ['tag', '-a', '-m', 'tag', 'v1'])
  await gitOut(copy, ['push', '-q', path('one'), 'v1'])
  await seen()
  await gitOut(copy, ['checkout', '-q', 'master'])
  const ours = await more('ours')
  await push('master')
  await seen()
  await bare('update-ref', 'refs/pull/1/head', ours)
  await bare('update-ref', 'refs/heads/master', base)
  await seen()
  await bare('update-ref', '-d', 'refs/tags/v1')
  await bare('pack-refs', '--all')
  await seen()
  expect(await git.numberOf('one', side)).toBeNull()
  // More files than are looked at one by one.
  await bare('update-ref', '-d', 'refs/pull/1/head')
  const refs = Array.from({ length: 250 }, (_, at) => `create refs/heads/many/${at} ${at === 249 ? side : base}\n`)
  await gitOut(path('one'), ['update-ref', '--stdin'], { input: refs.join('') })
  await seen()
  await bare('update-ref', '-d', 'refs/heads/many/249')
  await seen()
  expect(await git.numberOf('one', side)).toBeNull()
})
