import { encodeComment, encodeStatus } from './changeset-view.ts'
import { encodeSecond } from './encode.ts'
import type { CommentView, PullRequestView } from '../../core/pull-request/view.ts'
import type { RepositoryView } from '../../core/repository/view.ts'
import type { MethodCall } from './method.ts'

/** The operations that a method calls which gives pull requests. */
const pullRequestReads = ['pull-request.list-comments', 'pull-request.list-commits', 'repository.get'] as const

/** A pull request with all that the contract says of one (§3.8). Its method must name `pullRequestReads`. */
async function wholePullRequest(call: MethodCall, it: PullRequestView) {
  const on = { pull_request: it.id }
  const comments = await call.all<CommentView>('pull-request.list-comments', on)
  const commits = await call.all<{ readonly id: string }>('pull-request.list-commits', on)
  const source = it.source_repository === null ? null : await call.invoke<RepositoryView>('repository.get', { repository: it.source_repository_id })
  return encodePullRequest(it, { comments, revisions: commits.map(({ id }) => id).reverse(), cloneUrl: source?.clone_url ?? '' })
}

type Parts = { readonly comments: readonly CommentView[]; readonly revisions: readonly string[]; readonly cloneUrl: string }

function encodePullRequest(it: PullRequestView, { comments, revisions, cloneUrl }: Parts) {
  return {
    pull_request_id: it.serial,
    url: urlOf(it),
    reviewers: it.reviewers.map(({ name }) => ({ username: name })),
    revisions,
    owner: it.author,
    title: it.title,
    description: it.description === '' ? 'No description' : it.description,
    org_repo_url: cloneUrl,
    org_ref_parts: ['branch', it.source_branch, it.head],
    other_ref_parts: ['branch', it.target_branch, it.base ?? it.head],
    status: it.state === 'open' ? 'new' : 'closed',
    comments: comments.map(encodeComment),
    statuses: comments.flatMap(statusesOf),
    created_on: encodeSecond(it.created_at),
    updated_on: encodeSecond(it.updated_at),
  }
}

// One for each revision that the vote is about.
function statusesOf({ status, at, by, commits }: CommentView) {
  return status === null ? [] : commits.map(() => encodeStatus({ status, at, by }))
}

function urlOf({ repository, repository_serial, serial, source_branch, target_branch, title }: PullRequestView): string {
  const path = repository === null ? `_${repository_serial ?? 0}` : repository.split('/').map(encodeURIComponent).join('/')
  const slug = (source_branch === target_branch ? title : source_branch).replace(/[^-A-Za-z0-9./]+/g, '_').replace(/_+$/, '')
  return `/${path}/pull-request/${serial}/_/${slug}`
}

export { pullRequestReads, wholePullRequest }
