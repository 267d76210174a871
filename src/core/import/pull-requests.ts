import { isRefPath } from '../repository/branch-name.ts'
import { statuses } from '../pull-request/status.ts'
import { bring, changed, commit, NotBrought, pretendName, serialFor, write } from './run.ts'
import type { SourceComment, SourceEnd, SourcePullRequest } from '../../ports/import-source.ts'
import type { Brought } from './ledger.ts'
import type { ImportRun, Item } from './run.ts'

const batch = 200
const mostComments = 10_000
const oid = /^[0-9a-f]{40}$/

/** Brings the pull requests with their reviewers, and then what was said and voted on them. */
async function bringPullRequests(run: ImportRun): Promise<void> {
  for await (const from of run.source.pullRequests()) {
    const item = { id: from.id, name: from.title }
    await bring(run, 'pull-request', item, () => bringPullRequest(run, from, item))
    const made = await run.ledger.find('pull-request', from.id)
    const source = await run.ledger.find('repository', from.source.repository)
    if (!made || !source) continue
    const on = { entry: 'comments-of-pull-request', id: from.id, subject: () => made.id, repository: source, head: from.source.commit } as const
    await bringComments(run, on, (after) => run.source.pullRequestComments(from.id, after))
  }
}

async function bringPullRequest(run: ImportRun, from: SourcePullRequest, item: Item): Promise<void> {
  const { ctx } = run
  const target = await endOf(run, from.target, 'into')
  const source = await endOf(run, from.source, 'from')
  const author = await run.ledger.find('user', from.author)
  if (!author) throw new NotBrought('its author is not here')
  if (!oid.test(from.source.commit)) throw new NotBrought('it does not say which commit it is of')
  const state = from.closed || (await isSecond(run, from, item, { target, source })) ? 'closed' : 'open'
  if (state === 'open' && (from.source.type !== 'branch' || from.target.type !== 'branch')) {
    changed(run, 'pull-request', item, 'one of its ends is no branch, so that it can be read and closed here, and not merged')
  }
  const id = ctx.ids.record()
  const serial = await serialFor(run, 'pull-request', item, async (wanted) => (await ctx.db.pullRequests.bySerial(wanted)) !== null)
  const reviewers = await reviewersOf(run, from, item)
  await commit(run, 'pull-request', from.id, { id, serial, name: String(serial) }, async (inside) => {
    await inside.db.pullRequests.insert({
      ...{ id, serial, state, target_id: target.id, target_branch: from.target.name, source_id: source.id, source_branch: from.source.name },
      ...{ author_id: author.id, author: author.name, title: from.title, description: from.description },
      ...{ head: from.source.commit, base: oid.test(from.target.commit) ? from.target.commit : null, reviewers, merge: null },
      created_at: from.created_at,
      updated_at: from.updated_at,
      closed_at: state === 'closed' ? from.updated_at : null,
    })
  })
}

async function endOf(run: ImportRun, { repository, name }: SourceEnd, way: string): Promise<Brought> {
  const brought = await run.ledger.find('repository', repository)
  if (!brought) throw new NotBrought(`the repository that it goes ${way} is not here`)
  if (!isRefPath(name)) throw new NotBrought(`the branch that it goes ${way} has no name that can be used`)
  return brought
}

// Here one of two open ones with the same ends would merge what the other is about.
async function isSecond(
  run: ImportRun,
  from: SourcePullRequest,
  item: Item,
  { target, source }: { target: Brought; source: Brought },
): Promise<boolean> {
  const ends = { target_id: target.id, target_branch: from.target.name, source_id: source.id, source_branch: from.source.name }
  const first = (await run.ctx.db.pullRequests.open(ends)) === null && pretendName(run, `open:${Object.values(ends).join('\n')}`)
  if (!first) changed(run, 'pull-request', item, 'it is closed here, because another open one has the same branches')
  return !first
}

async function reviewersOf(run: ImportRun, from: SourcePullRequest, item: Item): Promise<string[]> {
  const reviewers = new Set<string>()
  for (const reviewer of from.reviewers) {
    const user = await run.ledger.find('user', reviewer)
    if (user) reviewers.add(user.id)
    else changed(run, 'pull-request', item, 'one of its reviewers is left out: it is not here')
  }
  return [...reviewers]
}

/** Brings what was said on commits outside of pull requests. */
async function bringCommitComments(run: ImportRun): Promise<void> {
  for await (const { id } of run.source.repositories()) {
    const repository = await run.ledger.find('repository', id)
    if (!repository) continue
    const subject = ({ commit: on }: SourceComment) => (on !== null && oid.test(on) ? `${repository.id}/${on}` : null)
    const on = { entry: 'comments-of-repository', id, subject, repository, head: null } as const
    await bringComments(run, on, (after) => run.source.commitComments(id, after))
  }
}

type On = {
  readonly entry: 'comments-of-pull-request' | 'comments-of-repository'
  readonly id: number
  readonly subject: (comment: SourceComment) => string | null
  /** The repository whose commits are voted on. */
  readonly repository: Brought
  readonly head: string | null
}

// Many of them share a commit, which says as well how far they have come.
async function bringComments(run: ImportRun, on: On, read: (after: number) => AsyncIterable<SourceComment>): Promise<void> {
  const kept = await run.ledger.entry(on.entry, on.id)
  let some: SourceComment[] = []
  const counts = new Map<string, number>()
  let lost = 0
  const flush = async () => {
    run.ctx.signal.throwIfAborted()
    const comments = some
    some = []
    if (comments.length > 0) lost += await store(run, on, comments, counts)
  }
  for await (const comment of read(typeof kept?.after === 'number' ? kept.after : 0)) {
    some.push(comment)
    if (some.length === batch) await flush()
  }
  await flush()
  if (lost === 0) return
  const why = `${lost} of its comments are left out: who wrote them is not here, or there are more than ${mostComments} on one thing`
  changed(run, on.entry === 'comments-of-pull-request' ? 'pull-request' : 'repository', { id: on.id, name: on.repository.name }, why)
}

async function store(run: ImportRun, on: On, comments: readonly SourceComment[], counts: Map<string, number>): Promise<number> {
  const ready: { comment: SourceComment; subject: string; author: Brought }[] = []
  for (const comment of comments) {
    const [subject, author] = [on.subject(comment), await run.ledger.find('user', comment.author)]
    const many = subject === null ? 0 : (counts.get(subject) ?? 0) + 1
    if (subject === null || !author || many > mostComments) {
      run.report.count('comment', 'refused')
      continue
    }
    counts.set(subject, many)
    ready.push({ comment, subject, author })
  }
  const after = comments.at(-1)?.id ?? 0
  if (!run.options.dryRun) {
    await write(run, async (inside) => {
      for (const { comment, subject, author } of ready) {
        const status = statuses.find((known) => known === comment.status) ?? null
        const voted = status === null ? [] : [...new Set(comment.voted)]
        const head = status === null ? null : on.head !== null && (voted.length === 0 || voted.includes(on.head)) ? on.head : (voted[0] ?? null)
        const made = await inside.db.comments.insert({
          ...{ id: inside.ids.record(), subject_id: subject, author_id: author.id, author: author.name, at: comment.at, text: comment.text },
          ...{ status, head, file: comment.file, line: comment.line, side: comment.side },
        })
        if (voted.length > 0) await inside.db.comments.addVoted(made.id, on.repository.id, voted)
      }
      await run.ledger.keep(inside.db, on.entry, on.id, { after })
    })
  }
  for (const _ of ready) run.report.count('comment', 'brought')
  return comments.length - ready.length
}

export { bringPullRequests, bringCommitComments }
