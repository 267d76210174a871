import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { pullRequestOperations } from './operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'
import type { NumberedEvent } from '../notify/event-hub.ts'
import type { PullRequestView } from './view.ts'

let lab: RepositoryLab
let ann: Principal
let bob: Principal
let stranger: Principal

beforeAll(async () => {
  lab = await openRepositoryLab(pullRequestOperations)
  ;[ann, bob, stranger] = await Promise.all(['ann', 'bob', 'stranger'].map((name) => lab.user(name)) as [never, never, never])
})
afterAll(() => lab.close())

const commit = async (repository: string, branch: string, text: string, more: object = {}) => {
  const input = { repository, branch, message: `${text}\n`, files: [{ path: 'a', text: `${text}\n` }], ...more }
  return (await lab.as<{ commit: string }>('repository.commit-files', input)).commit
}

/** A branch of its own at a commit, as a push would leave it. */
const branch = async (id: string, name: string, at: string) => lab.git.updateRefs(id, [{ ref: `refs/heads/${name}`, from: null, to: at }])

/** A repository that ann reads and bob writes, with one commit on `main` and one more on `topic`. */
async function prepared(path: string) {
  const made = await lab.make(path)
  await lab.grant(ann, 'repository', path, 'read')
  await lab.grant(bob, 'repository', path, 'write')
  const base = await commit(path, 'main', 'one')
  await branch(made.id, 'topic', base)
  const head = await commit(path, 'topic', 'two', { files: [{ path: 'b', text: 'two\n' }] })
  return { ...made, base, head, input: { repository: path, target_branch: 'main', source_branch: 'topic', title: 'Two' } }
}

const create = (who: Principal, input: object) => lab.call<PullRequestView>(who, 'pull-request.create', input)
const get = (who: Principal, serial: number) => lab.call<PullRequestView>(who, 'pull-request.get', { pull_request: String(serial) })
const act = (who: Principal, verb: string, serial: number, more: object = {}) =>
  lab.call<PullRequestView>(who, `pull-request.${verb}`, { pull_request: String(serial), ...more })
const code = async (who: Principal, verb: string, input: object) => (await lab.refused(who, `pull-request.${verb}`, input)).code

async function eventsOf(work: () => Promise<unknown>): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = []
  const stop = lab.services.events.subscribe((event) => void events.push(event))
  await work().finally(stop)
  return events
}

describe('making one', () => {
  test('needs read on both ends and write on neither, and leaves a number, one audit line and an event', async () => {
    const { id, base, head, input } = await prepared('plain')
    let made!: PullRequestView
    const events = await eventsOf(async () => (made = await create(ann, { ...input, description: 'why', reviewers: ['bob'] })))
    expect(made).toMatchObject({ state: 'open', title: 'Two', description: 'why', author: 'ann', repository: 'plain', source_repository: 'plain' })
    expect(made).toMatchObject({ head, base, reviewers: [{ name: 'bob' }], merge: null, closed_at: null })
    expect(made.reviews).toMatchObject([{ by: 'ann', status: 'under_review', head }])
    expect(events).toMatchObject([{ kind: 'pull-request', id: made.id, name: String(made.serial), state: 'open', resource_id: id }])
    const lines = await lab.store.reader.audit.page({ subject: `pull-request:${made.serial}` }, { limit: 9, after: null })
    expect(lines.items).toMatchObject([{ operation: 'pull-request.create', actor: 'ann', outcome: 'succeeded', subject_id: made.id }])
    expect(await get(ann, made.serial)).toEqual(made)
    expect(await lab.call(ann, 'pull-request.get', { pull_request: `pull-request:${made.id}` })).toEqual(made)
  })

  test('is refused for what is no pair of branches with something to merge', async () => {
    const { id, base, input } = await prepared('refused')
    await lab.make('unrelated')
    await commit('unrelated', 'main', 'x')
    await branch(id, 'old', base)
    const orphan = await commit('refused', 'orphan', 'other', { parent: null })
    expect(orphan).not.toBe(base)
    const wrong = [
      [{ source_branch: 'none' }, 'not_found'],
      [{ target_branch: 'none' }, 'not_found'],
      [{ source_branch: 'main' }, 'invalid_input'],
      [{ source_repository: 'unrelated', source_branch: 'main' }, 'invalid_input'],
      [{ source_branch: 'old' }, 'state_conflict'],
      [{ source_branch: 'orphan' }, 'state_conflict'],
      [{ source_branch: '../x' }, 'invalid_name'],
      [{ title: ' ' }, 'invalid_input'],
      [{ reviewers: ['stranger'] }, 'not_found'],
      [{ reviewers: ['nobody-here'] }, 'not_found'],
    ] as const
    for (const [more, expected] of wrong) expect(await code(lab.root, 'create', { ...input, ...more }), JSON.stringify(more)).toBe(expected)
    expect(await code(stranger, 'create', input)).toBe('not_found')
    expect(await code(lab.anonymous, 'create', input)).toBe('unauthenticated')
  })

  test('is refused while one of the same ends is open, and names that one', async () => {
    const { input } = await prepared('twice')
    const { serial, id } = await create(ann, input)
    const refusal = await lab.refused(bob, 'pull-request.create', input)
    expect(refusal).toMatchObject({ code: 'name_taken', details: { serial, id } })
    await act(ann, 'close', serial)
    const second = await create(bob, input)
    expect(second.serial).toBe(serial + 1)
    expect(await code(ann, 'reopen', { pull_request: String(serial) })).toBe('name_taken')
  })
})

describe('who may do what', () => {
  test('it is readable as its source is, and nothing of a hidden repository shows', async () => {
    const { input } = await prepared('public')
    await lab.as('repository.fork', { repository: 'public', path: 'hidden', private: true })
    await lab.grant(ann, 'repository', 'hidden', 'read')
    await commit('hidden', 'secret', 'three', { parent: null }).catch(() => null)
    const fork = await lab.as<{ id: string }>('repository.get', { repository: 'hidden' })
    await branch(fork.id, 'private', (await lab.git.resolve(fork.id, 'refs/heads/topic')) ?? '')
    const { serial } = await create(ann, { ...input, source_repository: 'hidden', source_branch: 'private' })
    // Bob may write the target, and still not see what comes from a fork that he may not read.
    for (const verb of ['get', 'close', 'merge', 'comment']) expect(await code(bob, verb, { pull_request: String(serial) }), verb).toBe('not_found')
    expect(await lab.call(bob, 'pull-request.list', { repository: 'public' })).toEqual({ items: [], next: null })
    await lab.grant(bob, 'repository', 'hidden', 'read')
    expect(await lab.call(bob, 'pull-request.list', { repository: 'public' })).toMatchObject({ items: [{ serial, source_repository: 'hidden' }] })
    await lab.grant(stranger, 'repository', 'hidden', 'read')
    expect(await get(stranger, serial)).toMatchObject({ repository: null, source_repository: 'hidden' })
  })

  test('its author and who may write the target change and close it; merging is for the latter', async () => {
    const { input } = await prepared('rights')
    const { serial } = await create(ann, input)
    await lab.grant(stranger, 'repository', 'rights', 'execute')
    const pull_request = String(serial)
    for (const verb of ['close', 'merge', 'update']) expect(await code(stranger, verb, { pull_request }), verb).toBe('forbidden')
    expect(await code(ann, 'merge', { pull_request })).toBe('forbidden')
    expect(await code(lab.anonymous, 'close', { pull_request })).toBe('unauthenticated')
    expect(await act(ann, 'close', serial)).toMatchObject({ state: 'closed' })
    expect(await code(ann, 'close', { pull_request })).toBe('state_conflict')
    expect(await act(bob, 'reopen', serial)).toMatchObject({ state: 'open', closed_at: null })
    expect(await act(bob, 'close', serial)).toMatchObject({ state: 'closed' })
  })
})

describe('while it is open', () => {
  test('its head is what was pushed last', async () => {
    const { id, input, head } = await prepared('moving')
    const { serial } = await create(ann, input)
    const next = await commit('moving', 'topic', 'three')
    expect(await get(ann, serial)).toMatchObject({ head: next })
    const { items } = await lab.call<{ items: PullRequestView[] }>(ann, 'pull-request.list', { repository: 'moving', state: 'open' })
    expect(items).toMatchObject([{ serial, head: next }])
    const commits = await lab.call<{ items: { id: string }[]; next: string }>(ann, 'pull-request.list-commits', {
      pull_request: String(serial),
      limit: 1,
    })
    expect(commits.items.map((one) => one.id)).toEqual([next])
    const rest = await lab.call(ann, 'pull-request.list-commits', { pull_request: String(serial), limit: 1, cursor: commits.next })
    expect(rest).toMatchObject({ items: [{ id: head }], next: null })
    await lab.git.updateRefs(id, [{ ref: 'refs/heads/topic', from: next, to: null }])
    expect(await get(ann, serial)).toMatchObject({ head, state: 'open' })
    expect(await code(bob, 'merge', { pull_request: String(serial) })).toBe('not_found')
  })

  test('title, description and reviewers change, and reviewers are who may read it', async () => {
    const { input } = await prepared('edited')
    const { serial } = await create(ann, input)
    expect(await act(ann, 'update', serial, { title: 'New', description: 'more', reviewers: ['bob', 'user:root'] })).toMatchObject({
      title: 'New',
      description: 'more',
      reviewers: [{ name: 'bob' }, { name: 'root' }],
    })
    expect(await act(bob, 'update', serial, { add_reviewers: ['ann', 'bob'], remove_reviewers: ['root'] })).toMatchObject({
      title: 'New',
      reviewers: [{ name: 'bob' }, { name: 'ann' }],
    })
    expect(await code(ann, 'update', { pull_request: String(serial), add_reviewers: ['stranger'] })).toBe('not_found')
    await act(ann, 'close', serial)
    expect(await code(ann, 'update', { pull_request: String(serial), title: 'x' })).toBe('state_conflict')
  })

  test('who reads it may comment; votes are for reviewers, its author and writers, each for the head of its moment', async () => {
    const { input, head } = await prepared('voted')
    const { serial } = await create(bob, input)
    const pull_request = String(serial)
    expect(await lab.call(ann, 'pull-request.comment', { pull_request, text: 'hm' })).toMatchObject({
      by: 'ann',
      text: 'hm',
      status: null,
      head: null,
    })
    expect(await code(ann, 'comment', { pull_request, status: 'approved' })).toBe('forbidden')
    await act(bob, 'update', serial, { reviewers: ['ann'] })
    await lab.call(ann, 'pull-request.comment', { pull_request, status: 'rejected' })
    await lab.call(ann, 'pull-request.comment', { pull_request, text: 'fine', status: 'approved' })
    const next = await commit('voted', 'topic', 'three')
    expect(await get(ann, serial)).toMatchObject({
      head: next,
      reviews: [
        { by: 'bob', status: 'under_review', head },
        { by: 'ann', status: 'approved', head },
      ],
    })
    const all = await lab.call<{ items: { text: string; status: string | null }[] }>(ann, 'pull-request.list-comments', { pull_request })
    expect(all.items.map(({ text, status }) => [text, status])).toEqual([
      ['', 'under_review'],
      ['hm', null],
      ['', 'rejected'],
      ['fine', 'approved'],
    ])
    const lines = await lab.store.reader.audit.page(
      { subject: `pull-request:${serial}`, operation: 'pull-request.comment' },
      { limit: 9, after: null },
    )
    expect(lines.items.map(({ actor }) => actor)).toEqual(['ann', 'ann', 'ann'])
    await act(bob, 'close', serial)
    expect(await code(ann, 'comment', { pull_request, text: 'late' })).toBe('state_conflict')
  })

  test('lists are by repository and state, page by page, newest first', async () => {
    const { id, head, input } = await prepared('many')
    const serials: number[] = []
    for (const name of ['t1', 't2', 't3']) {
      await branch(id, name, head)
      serials.unshift((await create(ann, { ...input, source_branch: name })).serial)
    }
    await act(ann, 'close', serials[0] ?? 0)
    type List = { items: PullRequestView[]; next: string | null }
    const list = (more: object) => lab.call<List>(ann, 'pull-request.list', { repository: 'many', ...more })
    const first = await list({ limit: 2 })
    const rest = await list({ limit: 2, cursor: first.next })
    expect([...first.items, ...rest.items].map(({ serial }) => serial)).toEqual(serials)
    expect(rest.next).toBeNull()
    expect((await list({ state: 'closed' })).items.map(({ serial }) => serial)).toEqual(serials.slice(0, 1))
    expect((await list({ state: 'merged' })).items).toEqual([])
    expect(await code(stranger, 'list', { repository: 'many' })).toBe('not_found')
    expect((await lab.call<List>(stranger, 'pull-request.list', { state: 'open' })).items.filter(({ repository }) => repository === 'many')).toEqual(
      [],
    )
  })
})
