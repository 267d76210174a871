import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { worldOf } from './contract-world.suite.ts'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import { pullRequest } from './review-cases.suite.ts'
import type { World } from './contract-world.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

type Changeset = { raw_id: string; revision: number; message: string; date: string; author: string }

/** What the contract says of changesets and pull requests beside its table (§3.3, §3.8, §10, §15 D16, D30). */
export function reviewRulesSuite(title: string, options: { readonly databaseUrl?: string; readonly kinds: readonly ('git' | 'hg')[] }): void {
  describe.each(options.kinds)(`${title}: %s`, (kind) => {
    let lab: KallitheaLab
    let world: World
    beforeAll(async () => {
      lab = await openKallitheaLab(options.databaseUrl ? { config: { databaseUrl: options.databaseUrl } } : {})
      world = await worldOf(lab, kind)
    })
    afterAll(() => lab?.close())

    const branch = kind === 'git' ? 'master' : 'default'
    const ask = (method: string, args: object = {}) => lab.result(world.root, method, args)
    const events = async () => (await lab.app.system('audit.list', { limit: 1000 })).items.length as number

    describe('changesets', () => {
      let repoid: string
      let all: Changeset[]
      beforeAll(async () => {
        repoid = (await world.filled()).name
        for (const [files, message] of [
          [[{ path: 'README.md', text: 'again' }], 'second'],
          [[{ path: 'src/main.ts' }, { path: 'ä b', text: 'x' }], 'third\n'],
        ] as const)
          await lab.app.system('repository.commit-files', { repository: repoid, branch, message, files })
        all = await ask('get_changesets', { repoid })
      })
      const list = async (args: object) => ((await ask('get_changesets', { repoid, ...args })) as Changeset[]).map(({ revision }) => revision)
      const refused = (args: object) => lab.error(world.root, 'get_changesets', { repoid, ...args })

      test('come oldest first with their numbers, and the last is that of the repository', async () => {
        expect(all.map(({ revision }) => revision)).toEqual([0, 1, 2])
        // Git keeps the end of the line as it was made, Mercurial keeps none.
        expect(all.map(({ message }) => message)).toEqual(kind === 'git' ? ['first', 'second', 'third\n'] : ['first', 'second', 'third'])
        expect(all[0]?.author).toMatch(/^\S+( <.+>)?$/)
        expect(all[0]?.date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
        expect((await ask('get_repo', { repoid })).last_changeset).toEqual(all[2])
      })

      test('start and end are inclusive, by number, digits, id or branch, and reverse turns the list round', async () => {
        const [, second] = all
        expect(await list({ start: 1 })).toEqual([1, 2])
        expect(await list({ start: '1', end: second?.raw_id })).toEqual([1])
        expect(await list({ end: branch, reverse: 'yes' })).toEqual([2, 1, 0])
        expect(await list({ start: '', end: null, branch_name: branch })).toEqual([0, 1, 2])
        expect(await list({ start_date: '2001-01-01T00:00:00', end_date: '2001-01-02T00:00:00' })).toEqual([])
        expect(await list({ start_date: all[0]?.date })).toEqual([0, 1, 2])
      })

      test('max_revisions keeps the newest of git and the oldest of Mercurial, in the order that was asked for', async () => {
        const kept = kind === 'git' ? [1, 2] : [0, 1]
        expect(await list({ max_revisions: 2 })).toEqual(kept)
        expect(await list({ max_revisions: '2', reverse: true })).toEqual(kept.toReversed())
        expect(await list({ max_revisions: 0 })).toEqual([0, 1, 2])
        expect(await list({ max_revisions: 5 })).toEqual([0, 1, 2])
      })

      test('what is malformed or not there, and a start after the end, are internal errors', async () => {
        for (const args of [
          // Many digits: hg takes a few for the beginning of an id.
          { start: '999999' },
          { start: 'none' },
          { start: ['1'] },
          { end: 'f'.repeat(40) },
          { start: 2, end: 1 },
          { start_date: '2026-01-01' },
          { end_date: '2026-13-01T00:00:00' },
          { branch_name: 'a..b' },
          { max_revisions: 'many' },
        ])
          expect(await refused(args), JSON.stringify(args)).toBe('Internal server error')
      })

      test('have their files when they are asked for', async () => {
        const listed = await ask('get_changesets', { repoid, with_file_list: true, start: 1 })
        expect(listed).toMatchObject([
          { added: [], changed: ['README.md'], removed: [] },
          { added: ['ä b'], changed: [], removed: ['src/main.ts'] },
        ])
        expect(all[0]).not.toHaveProperty('added')
      })

      test('one is given by id, number, branch or tip, with an author in parts and what was said about it', async () => {
        for (const raw_id of [all[2]?.raw_id, 2, '2', branch, 'tip']) {
          expect(await ask('get_changeset', { repoid, raw_id })).toMatchObject({ revision: 2, added: ['ä b'], author: { name: expect.any(String) } })
        }
        const on = { repository: repoid, revision: '1' }
        await world.root.ok('repository.comment-commit', { ...on, text: 'fine' })
        await world.ann.ok('repository.comment-commit', { ...on, status: 'rejected' })
        await world.ann.ok('repository.comment-commit', { ...on, text: 'here', file: 'README.md', line: 1 })
        await world.root.ok('repository.comment-commit', { ...on, text: 'there', file: 'README.md', line: 1 })
        await world.root.ok('repository.comment-commit', { ...on, text: 'was', file: 'README.md', line: 1, side: 'old' })
        const asked = { with_reviews: true, with_comments: true, with_inline_comments: true }
        const found = await ask('get_changeset', { repoid, raw_id: 1, ...asked })
        const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
        expect(found.reviews).toEqual([{ status: 'rejected', modified_at: moment, reviewer: world.ann.name }])
        expect(found.comments).toMatchObject([{ text: 'fine', username: 'root', created_on: moment }, { text: '' }])
        expect(found.inline_comments).toMatchObject([['README.md', { n1: [{ text: 'here' }, { text: 'there' }], o1: [{ text: 'was' }] }]])
        expect(await ask('get_changeset', { repoid, raw_id: 0, ...asked })).toMatchObject({ reviews: [], comments: [], inline_comments: [] })
      })
    })

    describe('pull requests', () => {
      test('are told whole, with a vote for each revision, and once more with their target', async () => {
        const made = await pullRequest(world, { reviewers: [world.ann.name] })
        const files = [{ path: 'second.txt', text: 'x' }]
        const input = { repository: made.source, branch, message: 'second', files }
        const { commit } = (await lab.app.system('repository.commit-files', input)) as { commit: string }
        await lab.result(world.ann, 'comment_pullrequest', { pull_request_id: String(made.serial), status: 'approved', comment_msg: 'good' })
        const it = await ask('get_pullrequest', { pullrequest_id: made.serial })
        expect(it).toMatchObject({
          pull_request_id: made.serial,
          url: `/${made.target.name}/pull-request/${made.serial}/_/Bring_more_please`,
          reviewers: [{ username: world.ann.name }],
          revisions: [made.head, commit],
          owner: 'root',
          title: 'Bring: more, please!',
          description: 'No description',
          org_ref_parts: ['branch', branch, commit],
          other_ref_parts: ['branch', branch, made.base],
          status: 'new',
        })
        expect(new URL(it.org_repo_url).pathname).toBe(`/${made.source}`)
        expect(it.comments.map(({ username, text }: { username: string; text: string }) => [username, text])).toEqual([
          ['root', ''],
          [world.ann.name, 'good'],
        ])
        expect(it.statuses.map(({ status, reviewer }: { status: string; reviewer: string }) => [status, reviewer])).toEqual([
          ['under_review', 'root'],
          ['approved', world.ann.name],
          ['approved', world.ann.name],
        ])
        expect((await ask('get_repo', { repoid: made.target.id, with_pullrequests: true })).pull_requests).toEqual([it])
        expect((await ask('get_changeset', { repoid: made.source, raw_id: made.head, with_reviews: true })).reviews).toMatchObject([
          { status: 'approved', reviewer: world.ann.name },
        ])
      })

      test('a comment, a vote and closing are one call and one event, and closing is for administrators and its owner', async () => {
        const made = await pullRequest(world, { reviewers: [world.ann.name] })
        const pull_request_id = made.serial
        await world.grant(world.ann, `repository:${made.target.name}`, 'write')
        expect(await lab.error(world.ann, 'comment_pullrequest', { pull_request_id, close_pr: true })).toMatch(/^No permission to close/)
        expect(await lab.error(world.ann, 'comment_pullrequest', { pull_request_id, status: 'great' })).toBe('Internal server error')
        const before = await events()
        expect(await ask('comment_pullrequest', { pull_request_id, comment_msg: 'no', status: 'rejected', close_pr: true })).toBe(true)
        expect(await events()).toBe(before + 1)
        const it = await ask('get_pullrequest', { pullrequest_id: pull_request_id })
        expect(it).toMatchObject({ status: 'closed', comments: [{ text: '' }, { text: 'no' }], statuses: [{}, { status: 'rejected' }] })
        expect(await lab.error(world.ann, 'comment_pullrequest', { pull_request_id })).toBe('pull request is already closed')
      })

      test('reviewers are added and taken off by its owner and by administrators of the target, or nothing happens', async () => {
        const made = await pullRequest(world, { reviewers: [world.ann.name] })
        const pull_request_id = made.serial
        const [bob, other] = [await lab.member(world.name('bob')), await world.user()]
        const edit = (args: object) => ask('edit_reviewers', { pull_request_id, ...args })
        const reviewers = async () => (await ask('get_pullrequest', { pullrequest_id: pull_request_id })).reviewers
        expect(await edit({ add: [bob.name, world.ann.name, other.id], remove: world.ann.name })).toEqual({
          added: [bob.name, other.name],
          already_present: [world.ann.name],
          removed: [world.ann.name],
        })
        expect(await reviewers()).toEqual([{ username: bob.name }, { username: other.name }])
        expect(await lab.error(world.root, 'edit_reviewers', { pull_request_id, add: world.ann.name, remove: ['nobody'] })).toBe(
          'user `nobody` does not exist',
        )
        expect(await reviewers()).toHaveLength(2)
        await world.grant(bob, `repository:${made.target.name}`, 'write')
        expect(await lab.error(bob, 'edit_reviewers', { pull_request_id, remove: [] })).toMatch(/^No permission to edit reviewers/)
        await world.grant(bob, `repository:${made.target.name}`, 'admin')
        expect(await lab.result(bob, 'edit_reviewers', { pull_request_id, remove: [bob.name, 'root'] })).toEqual({
          added: [],
          already_present: [],
          removed: [bob.name, 'root'],
        })
        expect(await reviewers()).toEqual([{ username: other.name }])
      })

      test('a merged one is closed, its head stays under its number, and a hidden target is not named', async () => {
        const made = await pullRequest(world)
        await world.root.ok('pull-request.merge', { pull_request: String(made.serial) })
        await lab.app.system('repository.update', { repository: made.target.name, private: true })
        const it = await lab.result(world.ann, 'get_pullrequest', { pullrequest_id: made.serial })
        expect(it).toMatchObject({
          status: 'closed',
          url: `/_${made.target.id}/pull-request/${made.serial}/_/Bring_more_please`,
          revisions: [made.head],
        })
        const { id } = (await lab.app.system('repository.get', { repository: made.source })) as { id: string }
        expect(await lab.app.services[kind].resolve(id, `refs/pull/${made.serial}/head`)).toBe(made.head)
      })
    })
  })
}
