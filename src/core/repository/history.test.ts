import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg } from '../../adapters/hg/hg-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { pullRequestOperations } from '../pull-request/operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'
import type { CommitCommentView } from './commit-comment.ts'
import type { CommitView } from './history.ts'

let lab: RepositoryLab
let ann: Principal

type History = { items: CommitView[]; next: string | null; count: number }
type Comments = { items: CommitCommentView[]; next: string | null; vote: { by: string; status: string } | null }

beforeAll(async () => {
  lab = await openRepositoryLab(pullRequestOperations)
  ann = await lab.user('ann')
})
afterAll(() => lab.close())

describe.each(hasHg() ? ['git', 'hg'] : ['git'])('the history of a %s repository', (kind) => {
  const branch = kind === 'git' ? 'main' : 'default'
  const path = `history-${kind}`
  const ids: string[] = []
  const commit = async (repository: string, files: Record<string, string | null>) => {
    const list = Object.entries(files).map(([name, text]) => ({ path: name, ...(text === null ? {} : { text }) }))
    return (await lab.as<{ commit: string }>('repository.commit-files', { repository, branch, message: 'fixture', files: list })).commit
  }
  const list = (input: object) => lab.as<History>('repository.list-history', { repository: path, ...input })
  const numbers = async (input: object) => (await list(input)).items.map(({ number }) => number)

  beforeAll(async () => {
    await lab.make(path, { kind })
    await lab.grant(ann, 'repository', path, 'read')
    expect(await list({ start: 'nothing' })).toEqual({ items: [], next: null, count: 0 })
    for (const files of [{ a: '1' }, { b: '1' }, { a: '2', b: null, c: '1' }]) ids.push(await commit(path, files))
  })

  test('is listed by number, from either end, between bounds of every form', async () => {
    const [first = '', second = '', third = ''] = ids
    expect(await list({})).toMatchObject({
      items: [
        { id: first, number: 0 },
        { id: second, number: 1 },
        { id: third, number: 2 },
      ],
      next: null,
      count: 3,
    })
    expect(await numbers({ order: 'newest' })).toEqual([2, 1, 0])
    expect(await numbers({ start: '1' })).toEqual([1, 2])
    expect(await numbers({ start: second, end: second })).toEqual([1])
    expect(await numbers({ start: '0', end: branch, branch })).toEqual([0, 1, 2])
    expect(await numbers({ start: 'tip' })).toEqual([2])
    expect(await numbers({ until: '2001-01-01T00:00:00Z' })).toEqual([])
    expect(await numbers({ since: '2001-01-01T00:00:00Z', start: '-1' })).toEqual([2])
    const one = await list({ limit: 2, order: 'newest' })
    expect(one.items.map(({ number }) => number)).toEqual([2, 1])
    expect(await list({ limit: 2, order: 'newest', cursor: one.next })).toMatchObject({ items: [{ number: 0 }], next: null })
  })

  test('refuses what is not there, and bounds the wrong way round', async () => {
    const code = async (input: object) => (await lab.refused(lab.root, 'repository.list-history', { repository: path, ...input })).code
    expect(await code({ start: '3' })).toBe('not_found')
    expect(await code({ end: 'f'.repeat(40) })).toBe('not_found')
    expect(await code({ branch: 'none' })).toBe('not_found')
    expect(await code({ start: '2', end: '1' })).toBe('invalid_input')
    expect(await code({ cursor: Buffer.from('["x"]').toString('base64url') })).toBe('invalid_input')
    expect((await lab.refused(lab.root, 'repository.get-commit', { repository: path, revision: 'none' })).code).toBe('not_found')
  })

  test('tells what a commit did to files, and the newest with its number', async () => {
    expect(await lab.as('repository.get-commit', { repository: path, revision: '2' })).toMatchObject({
      id: ids[2],
      number: 2,
      branch: kind === 'git' ? null : 'default',
      files: { added: ['c'], changed: ['a'], removed: ['b'] },
    })
    const [first] = (await list({ files: true })).items
    expect(first?.files).toEqual({ added: ['a'], changed: [], removed: [] })
    expect(await lab.as('repository.get', { repository: path })).toMatchObject({ last_commit: { id: ids[2], revision: 2 } })
    expect(await lab.as('repository.refresh', { repository: path })).toMatchObject({ last_commit: { id: ids[2], revision: 2 } })
  })

  test('comments on a commit and its lines are kept with it, and the last vote counts, one on a pull request as well', async () => {
    const on = { repository: path, revision: '1' }
    await lab.call(ann, 'repository.comment-commit', { ...on, text: 'fine', status: 'approved' })
    await lab.call(ann, 'repository.comment-commit', { ...on, text: 'why?', file: 'b', line: 1, side: 'old' })
    const comments = await lab.as<Comments>('repository.list-commit-comments', { repository: path, revision: ids[1] })
    expect(comments).toMatchObject({
      items: [
        { by: 'ann', text: 'fine', status: 'approved', commit: ids[1], file: null, line: null, side: null },
        { text: 'why?', status: null, file: 'b', line: 1, side: 'old' },
      ],
      vote: { by: 'ann', status: 'approved' },
    })
    expect(await lab.as('repository.list-commit-comments', { repository: path, revision: '0' })).toMatchObject({ items: [], vote: null })
    const wrong = async (input: object) => (await lab.refused(ann, 'repository.comment-commit', { ...on, ...input })).code
    expect([await wrong({ file: 'b' }), await wrong({ line: 1 }), await wrong({ file: 'b', line: 1, status: 'approved' })]).toEqual(
      Array(3).fill('invalid_input'),
    )
    expect((await lab.refused(lab.anonymous, 'repository.comment-commit', { ...on, text: 'x' })).code).toBe('unauthenticated')

    const fork = `${path}-fork`
    await lab.as('repository.fork', { repository: path, path: fork })
    const head = await commit(fork, { more: '1' })
    const ends = { repository: path, target_branch: branch, source_repository: fork, source_branch: branch }
    const { serial } = await lab.as<{ serial: number }>('pull-request.create', { ...ends, title: 'More' })
    expect((await lab.as<Comments>('repository.list-commit-comments', { repository: fork, revision: head })).vote).toMatchObject({
      status: 'under_review',
    })
    await lab.as('pull-request.comment', { pull_request: String(serial), status: 'rejected' })
    expect((await lab.as<Comments>('repository.list-commit-comments', { repository: fork, revision: head })).vote).toMatchObject({
      status: 'rejected',
    })
    const said = await lab.as<{ items: { commits: string[] }[] }>('pull-request.list-comments', { pull_request: String(serial) })
    expect(said.items.map(({ commits }) => commits)).toEqual([[head], [head]])
  })
})
