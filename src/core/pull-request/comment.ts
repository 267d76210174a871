import { atLeast } from '../kernel/level.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { PullRequestMember, pullRequestSubject } from './inputs.ts'
import { stillOpen, tell } from './state.ts'
import { Comment, statuses, viewComments, withHeads } from './view.ts'

const mostComments = 10_000

const commentPullRequest = defineOperation({
  name: 'pull-request.comment',
  summary: 'Adds a comment, a vote or both to an open pull request, and gives it.',
  description:
    'Needs read on its source. Votes are for its reviewers, its author and whoever may write the target; each counts for the commit that was the head then.',
  input: Closed({
    pull_request: PullRequestMember,
    text: Type.Optional(Type.String({ maxLength: 20_000 })),
    status: Type.Optional(OneOf(statuses)),
  }),
  output: Comment,
  access: 'signed-in',
  subjects: pullRequestSubject('read'),
  effect: 'act',
  audit: {
    subject: (input, output) => `pull-request:${output?.pull_request ?? input.pull_request}`,
    subjectId: (_, output) => output?.pull_request_id ?? null,
    detail: ({ status }, output) => ({ ...(status === undefined ? {} : { status }), ...(output ? { comment: output.serial } : {}) }),
  },
  example: { pull_request: '5', text: 'Looks good', status: 'approved' },
  async run(ctx, input, { pullRequest }) {
    const { row, level } = pullRequest
    const { id: author_id, name: author } = ctx.principal
    if (input.status !== undefined && !atLeast(level, 'execute') && !row.reviewers.includes(author_id)) {
      throw fault(
        'forbidden',
        { operation: 'pull-request.comment', need: 'to be a reviewer', subject: `pull-request:${row.serial}` },
        { private: { kind: 'pull-request', reference: input.pull_request, member: 'status' } },
      )
    }
    await stillOpen(ctx.db, row)
    const [{ head } = row] = input.status === undefined ? [row] : await withHeads(ctx, [row])
    const view = await ctx.write(async (inside) => {
      await stillOpen(inside.db, row)
      if ((await inside.db.comments.count(row.id)) >= mostComments) {
        throw fault('quota_exceeded', { scope: `The pull request "${row.serial}"`, limit: `${mostComments} comments` })
      }
      const at = inside.clock.now()
      const comment = await inside.db.comments.insert({
        id: inside.ids.record(),
        subject_id: row.id,
        author_id,
        author,
        at,
        status: input.status ?? null,
        head: input.status === undefined ? null : head,
        text: input.text ?? '',
      })
      await inside.db.pullRequests.update(row.id, { updated_at: at })
      const [made] = await viewComments(inside, row, [comment])
      if (!made) throw new Error('A view of one row is one view')
      return made
    })
    tell(ctx, row, 'commented')
    return view
  },
})

export { commentPullRequest }
