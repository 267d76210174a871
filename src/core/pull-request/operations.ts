import { closePullRequest, reopenPullRequest, updatePullRequest } from './change.ts'
import { commentPullRequest } from './comment.ts'
import { createPullRequest } from './create.ts'
import { mergePullRequest } from './merge.ts'
import { checkPullRequest, getPullRequest, listPullRequestComments, listPullRequestCommits, listPullRequests } from './read.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** Everything that can be done with a pull request. */
const pullRequestOperations: readonly AnyOperation[] = [
  createPullRequest,
  getPullRequest,
  listPullRequests,
  updatePullRequest,
  closePullRequest,
  reopenPullRequest,
  commentPullRequest,
  listPullRequestComments,
  listPullRequestCommits,
  checkPullRequest,
  mergePullRequest,
]

export { pullRequestOperations }
