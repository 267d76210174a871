import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { branchName, branchRef } from '../repository/branch-name.ts'
import { RepositoryMember } from '../repository/inputs.ts'
import { stillThere } from '../repository/place.ts'
import { broughtCommits, checkEnds, newCommits, refuseSecond } from './ends.ts'
import { BranchMember, DescriptionMember, ReviewersMember, TitleMember } from './inputs.ts'
import { reviewerIds } from './reviewers.ts'
import { tell } from './state.ts'
import { PullRequest, viewPullRequest } from './view.ts'

const createPullRequest = defineOperation({
  name: 'pull-request.create',
  summary: 'Asks for the commits of one branch to be merged into another, and gives the request.',
  description:
    'Both branches are in one repository or in forks of each other. It needs read on both, write on neither. Whoever may read the source may read it; it follows what is pushed to the source branch.',
  input: Closed({
    repository: RepositoryMember,
    target_branch: BranchMember,
    source_repository: Type.Optional(Type.String({ maxLength: 2000, description: 'Path or id; the repository itself when left out.' })),
    source_branch: BranchMember,
    title: TitleMember,
    description: Type.Optional(DescriptionMember),
    reviewers: Type.Optional(ReviewersMember),
  }),
  output: PullRequest,
  access: 'signed-in',
  subjects: { target: subject('repository', 'read', 'repository'), source: subject('repository', 'read', 'source_repository') },
  effect: 'act',
  audit: {
    subject: (_, output) => (output ? `pull-request:${output.serial}` : ''),
    subjectId: (_, output) => output?.id ?? null,
    detail: ({ repository, target_branch, source_repository = repository, source_branch }) => ({
      repository,
      target_branch,
      source_repository,
      source_branch,
    }),
  },
  example: { repository: 'lab/weather', target_branch: 'main', source_branch: 'rain', title: 'Forecast rain' },
  async run(ctx, input, found) {
    const target = found.target.row
    const source = input.source_repository === undefined ? target : found.source.row
    const ends = { target, source, targetBranch: branchRef(input.target_branch), sourceBranch: branchRef(input.source_branch) }
    await checkEnds(ctx, ends)
    const { head, base } = await newCommits(ctx, ends)
    const commits = await broughtCommits(ctx, ends, { head, base })
    const view = await ctx.write(async (inside) => {
      await stillThere(inside.db, target, 'repository')
      await stillThere(inside.db, source, 'source_repository')
      await refuseSecond(inside.db, ends)
      const readable = { target_id: target.id, source_id: source.id, state: 'open' } as const
      const [now, { id: author_id, name: author }] = [inside.clock.now(), inside.principal]
      const row = await inside.db.pullRequests.insert({
        id: inside.ids.record(),
        ...readable,
        target_branch: branchName(ends.targetBranch),
        source_branch: branchName(ends.sourceBranch),
        author_id,
        author,
        title: input.title.trim(),
        description: input.description ?? '',
        head,
        base,
        reviewers: await reviewerIds(inside, readable, input.reviewers ?? []),
        merge: null,
        created_at: now,
        updated_at: now,
        closed_at: null,
      })
      // The first entry of every pull request is its author's, without words (Kallithea contract §3.8).
      const first = await inside.db.comments.insert({
        id: inside.ids.record(),
        subject_id: row.id,
        author_id,
        author,
        at: now,
        status: 'under_review',
        head,
        text: '',
      })
      await inside.db.comments.addVoted(first.id, source.id, commits)
      return viewPullRequest(inside, row)
    })
    tell(ctx, { ...view, source_id: source.id }, 'open')
    return view
  },
})

export { createPullRequest }
