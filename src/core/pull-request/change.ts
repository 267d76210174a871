import { problemsFault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { endsOf, newCommits, refuseSecond } from './ends.ts'
import { DescriptionMember, PullRequestMember, pullRequestSubject, ReviewersMember, TitleMember } from './inputs.ts'
import { namedAmong, reviewerIds } from './reviewers.ts'
import { auditSubject, notOpen, stillOpen, tell } from './state.ts'
import { PullRequest, viewPullRequest } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'

const mostReviewers = 100

const updatePullRequest = defineOperation({
  name: 'pull-request.update',
  summary: 'Changes the words or the reviewers of an open pull request and gives it as it is then.',
  description: 'For its author and whoever may write the target. `reviewers` says who they are; the other two add to them and then take off.',
  input: Closed({
    pull_request: PullRequestMember,
    title: Type.Optional(TitleMember),
    description: Type.Optional(DescriptionMember),
    reviewers: Type.Optional(ReviewersMember),
    add_reviewers: Type.Optional(ReviewersMember),
    remove_reviewers: Type.Optional(ReviewersMember),
  }),
  output: PullRequest,
  access: 'signed-in',
  subjects: pullRequestSubject('execute'),
  effect: 'write',
  audit: {
    ...auditSubject,
    detail: ({ title, description, reviewers, add_reviewers, remove_reviewers }) => ({
      ...(title === undefined ? {} : { title }),
      ...(description === undefined ? {} : { described: true }),
      ...(reviewers === undefined ? {} : { reviewers }),
      ...(add_reviewers === undefined ? {} : { add_reviewers }),
      ...(remove_reviewers === undefined ? {} : { remove_reviewers }),
    }),
  },
  example: { pull_request: '5', add_reviewers: ['jo'] },
  async run(ctx, input, { pullRequest }) {
    const row = await stillOpen(ctx.db, pullRequest.row)
    const reviewers = await reviewersAfter(ctx, row, input)
    await ctx.db.pullRequests.update(row.id, {
      ...(input.title === undefined ? {} : { title: input.title.trim() }),
      ...(input.description === undefined ? {} : { description: input.description }),
      reviewers,
      updated_at: ctx.clock.now(),
    })
    tell(ctx, row, 'updated')
    return viewAgain(ctx, row)
  },
})

type ReviewerChange = {
  readonly reviewers?: readonly string[] | undefined
  readonly add_reviewers?: readonly string[] | undefined
  readonly remove_reviewers?: readonly string[] | undefined
}

async function reviewersAfter(ctx: Ctx, row: PullRequestRow, change: ReviewerChange): Promise<string[]> {
  const set = change.reviewers ? await reviewerIds(ctx, row, change.reviewers) : row.reviewers
  const all = [...new Set([...set, ...(await reviewerIds(ctx, row, change.add_reviewers ?? [], 'add_reviewers'))])]
  const gone = await namedAmong(ctx, change.remove_reviewers ?? [], all)
  const left = all.filter((id) => !gone.has(id))
  if (left.length <= mostReviewers) return left
  const message = `makes more than ${mostReviewers} reviewers`
  throw problemsFault('invalid_input', 'pull-request.update', [{ path: '/add_reviewers', code: 'maxItems', message }])
}

const closePullRequest = defineOperation({
  name: 'pull-request.close',
  summary: 'Closes a pull request without merging it.',
  description: 'For its author and whoever may write the target. The branches stay as they are.',
  input: Closed({ pull_request: PullRequestMember }),
  output: PullRequest,
  access: 'signed-in',
  subjects: pullRequestSubject('execute'),
  effect: 'write',
  audit: auditSubject,
  example: { pull_request: '5' },
  async run(ctx, _, { pullRequest }) {
    const row = await stillOpen(ctx.db, pullRequest.row)
    const now = ctx.clock.now()
    await ctx.db.pullRequests.update(row.id, { state: 'closed', updated_at: now, closed_at: now })
    tell(ctx, row, 'closed')
    return viewAgain(ctx, row)
  },
})

const reopenPullRequest = defineOperation({
  name: 'pull-request.reopen',
  summary: 'Opens a closed pull request again, with what is on its source branch now.',
  input: Closed({ pull_request: PullRequestMember }),
  output: PullRequest,
  access: 'signed-in',
  subjects: pullRequestSubject('execute'),
  effect: 'act',
  audit: auditSubject,
  example: { pull_request: '5' },
  async run(ctx, _, { pullRequest }) {
    const { row } = pullRequest
    if (row.state !== 'closed') throw notOpen(row, row.state === 'open' ? 'It needs no reopening.' : 'Make another one from new commits.')
    const ends = await endsOf(ctx, row)
    const { head, base } = await newCommits(ctx, ends)
    const view = await ctx.write(async (inside) => {
      const now = (await inside.db.pullRequests.byId(row.id)) ?? row
      if (now.state !== 'closed') throw notOpen(now, 'It needs no reopening.')
      await refuseSecond(inside.db, ends)
      await inside.db.pullRequests.update(row.id, { state: 'open', head, base, updated_at: inside.clock.now(), closed_at: null })
      return viewAgain(inside, row)
    })
    tell(ctx, row, 'open')
    return view
  },
})

async function viewAgain(ctx: Ctx, row: PullRequestRow) {
  return viewPullRequest(ctx, (await ctx.db.pullRequests.byId(row.id)) ?? row)
}

export { updatePullRequest, closePullRequest, reopenPullRequest }
