import { expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import type { CommentRow, NewComment, PullRequestRow } from '../../../ports/store/reviews.ts'
import { allPages, expectDuplicate, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { resourceRow } from './rows.ts'

function pullRequestRow(patch: Partial<PullRequestRow> = {}): Omit<PullRequestRow, 'serial' | 'version'> {
  return {
    id: systemIds.record(),
    target_id: 't',
    target_branch: 'main',
    source_id: 's',
    source_branch: 'topic',
    author_id: 'ann',
    author: 'Ann',
    state: 'open',
    title: 'Änne',
    description: 'a\nb',
    head: 'a'.repeat(40),
    base: null,
    reviewers: ['u1', 'u2'],
    merge: null,
    created_at: 5,
    updated_at: 6,
    closed_at: null,
    ...patch,
  }
}

function commentRow(patch: Partial<CommentRow> = {}): NewComment {
  return { id: systemIds.record(), subject_id: 'p', author_id: 'ann', author: 'Ann', at: 5, status: null, head: null, text: 'one\ntwo', ...patch }
}

export function reviewSuite(use: UseStore): void {
  test('a pull request comes back member by member, by id, number and ends, and each change counts its version up', async () => {
    const { store } = use()
    const row = pullRequestRow()
    const made = await store.write((t) => t.pullRequests.insert(row))
    expect(made).toStrictEqual({ ...row, serial: 1, version: 1 })
    const { pullRequests } = store.reader
    for (const found of [await pullRequests.byId(row.id), await pullRequests.bySerial(1), await pullRequests.open(row)])
      expect(found).toStrictEqual(made)
    const patch = { state: 'merged', title: 'x', reviewers: [], merge: { commit: 'c' }, base: 'b', closed_at: 9 } as const
    await store.write((t) => t.pullRequests.update(row.id, { ...patch, reviewers: [] }))
    expect(await pullRequests.byId(row.id)).toStrictEqual({ ...made, ...patch, version: 2 })
    expect(await pullRequests.open(row)).toBeNull()
  })

  test('one pull request of the same ends is open at a time', async () => {
    const { store } = use()
    const first = await store.write((t) => t.pullRequests.insert(pullRequestRow()))
    const again = () => store.write((t) => t.pullRequests.insert(pullRequestRow()))
    await expectDuplicate(again(), 'pullRequests.source_branch')
    await store.write((t) => t.pullRequests.insert(pullRequestRow({ target_branch: 'next' })))
    await store.write((t) => t.pullRequests.update(first.id, { state: 'closed' }))
    await again()
    await expectDuplicate(
      store.write((t) => t.pullRequests.update(first.id, { state: 'open' })),
      'pullRequests.source_branch',
    )
  })

  test('pull requests are listed to whom their source is readable, or their target once they are merged and the source is gone', async () => {
    const { store } = use()
    const grant = { subject_kind: 'user' as const, level: 'read' as const, extras: [], created_at: 1 }
    const [target, fork] = await store.write(async (t) => {
      const rows = [
        await t.resources.insert(resourceRow('repository', 'a')),
        await t.resources.insert(resourceRow('repository', 'b', { owner_id: 'own' })),
      ] as const
      await t.grants.set({ ...grant, resource_id: rows[0].id, subject_id: 'both' })
      await t.grants.set({ ...grant, resource_id: rows[0].id, subject_id: 'target' })
      await t.grants.set({ ...grant, resource_id: rows[1].id, subject_id: 'both' })
      return rows
    })
    const ends = { target_id: target.id, source_id: fork.id }
    for (const [source_branch, state] of [
      ['one', 'open'],
      ['two', 'merged'],
      ['three', 'closed'],
    ] as const)
      await store.write((t) => t.pullRequests.insert(pullRequestRow({ ...ends, source_branch, state })))
    const listed = async (userId: string, filter: object = {}) => {
      const rows = await allPages(2, (page) =>
        store.reader.pullRequests.page({ targetId: target.id, ...filter }, { userId, administrator: userId === 'root' }, page),
      )
      return rows.map(({ serial }) => serial)
    }
    expect([await listed('both'), await listed('own'), await listed('root')]).toEqual([
      [3, 2, 1],
      [3, 2, 1],
      [3, 2, 1],
    ])
    expect([await listed('target'), await listed('nobody')]).toEqual([[], []])
    expect([await listed('both', { state: 'open' }), await listed('both', { sourceId: fork.id, authorId: 'bob' })]).toEqual([[1], []])
    await store.write((t) => t.resources.markDeleted(fork.id, 5))
    expect([await listed('target'), await listed('own'), await listed('root')]).toEqual([[2], [], [3, 2, 1]])
    await store.write((t) => t.resources.markDeleted(target.id, 5))
    expect([await listed('target'), await listed('root')]).toEqual([[], []])
  })

  test('comments come in the order in which they were made, and of the votes the last of each author', async () => {
    const { store } = use()
    const made: CommentRow[] = []
    for (const patch of [
      { status: 'under_review', head: 'h1' },
      { text: '' },
      { author_id: 'bob', status: 'rejected' },
      { subject_id: 'q', status: 'approved' },
      { author_id: 'bob', status: 'approved' },
      { author_id: 'bob', text: 'thanks' },
    ])
      made.push(await store.write((t) => t.comments.insert(commentRow(patch))))
    expect(made.map(({ serial }) => serial)).toEqual([1, 2, 3, 4, 5, 6])
    const on = (id: string) => made.filter(({ subject_id }) => subject_id === id)
    expect(await allPages(2, (page) => store.reader.comments.page('p', page))).toStrictEqual(on('p'))
    expect((await store.reader.comments.page('other', firstPage)).items).toEqual([])
    expect([await store.reader.comments.count('p'), await store.reader.comments.count('q')]).toEqual([5, 1])
    expect((await store.reader.comments.votes(['p', 'q'])).map(({ serial }) => serial)).toEqual([1, 4, 5])
    expect((await store.reader.comments.votes(['p'])).map(({ serial }) => serial)).toEqual([1, 5])
    expect(await store.reader.comments.votes([])).toEqual([])
  })

  test('a comment may be about a line, and a vote counts for the commits that it is kept for, until the next one', async () => {
    const { store } = use()
    const made = await store.write(async (t) => {
      const line = await t.comments.insert(commentRow({ subject_id: 'r/c1', file: 'a b', line: 3, side: 'old' }))
      const first = await t.comments.insert(commentRow({ status: 'approved' }))
      const second = await t.comments.insert(commentRow({ subject_id: 'r/c1', status: 'rejected' }))
      await t.comments.addVoted(first.id, 'r', ['c2', 'c1', 'c2'])
      await t.comments.addVoted(second.id, 'r', ['c1'])
      await t.comments.addVoted(second.id, 'r', [])
      return { line, first, second }
    })
    expect((await store.reader.comments.page('r/c1', firstPage)).items).toEqual([made.line, made.second])
    expect(made.line).toMatchObject({ file: 'a b', line: 3, side: 'old' })
    expect(made.first).toMatchObject({ file: null, line: null, side: null })
    const { lastVote, voted } = store.reader.comments
    expect([await lastVote('r', 'c1'), await lastVote('r', 'c2')]).toEqual([made.second, made.first])
    expect([await lastVote('r', 'c3'), await lastVote('q', 'c1')]).toEqual([null, null])
    expect([...(await voted([made.first.id, made.second.id, made.line.id]))]).toEqual(
      [[made.first.id, ['c2', 'c1']] as const, [made.second.id, ['c1']] as const].sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  })

  test('what is said of the commits of a repository goes with it, and nothing else', async () => {
    const { store } = use()
    const [gone, kept] = await store.write(async (t) => {
      const rows = [await t.resources.insert(resourceRow('repository', 'gone')), await t.resources.insert(resourceRow('repository', 'kept'))] as const
      for (const { id } of rows) {
        const comment = await t.comments.insert(commentRow({ subject_id: `${id}/c`, status: 'approved' }))
        await t.comments.addVoted(comment.id, id, ['c'])
      }
      await t.resources.remove(rows[0].id)
      return rows
    })
    expect([await store.reader.comments.count(`${gone.id}/c`), await store.reader.comments.count(`${kept.id}/c`)]).toEqual([0, 1])
    expect([await store.reader.comments.lastVote(gone.id, 'c'), (await store.reader.comments.lastVote(kept.id, 'c'))?.status]).toEqual([
      null,
      'approved',
    ])
  })
}
