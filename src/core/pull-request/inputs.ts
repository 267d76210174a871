import { Type } from '../kernel/schema.ts'
import { subject } from '../operation/operation.ts'
import type { Level } from '../kernel/level.ts'

/** Members that the inputs of several operations on pull requests share. */
const PullRequestMember = Type.String({ maxLength: 300, description: 'Number or id, or `pull-request:<number or id>`.' })
const BranchMember = Type.String({ minLength: 1, maxLength: 255 })
const TitleMember = Type.String({ minLength: 1, maxLength: 300, pattern: '\\S' })
const DescriptionMember = Type.String({ maxLength: 50_000 })
const ReviewersMember = Type.Array(Type.String({ minLength: 1, maxLength: 300 }), {
  maxItems: 100,
  description: 'Names, addresses or ids of users who may read it.',
})

/** The pull request of an input as a subject. Its author holds *execute*, whoever may write its target *write*, who may read its source *read*. */
function pullRequestSubject(need: Level) {
  return { pullRequest: subject('pull-request', need, 'pull_request') }
}

export { PullRequestMember, BranchMember, TitleMember, DescriptionMember, ReviewersMember, pullRequestSubject }
