import { atLeast } from '../kernel/level.ts'
import { fault } from '../kernel/fault.ts'
import { heldOn } from '../access/held.ts'
import { approvalsNeeded } from '../repository/protection.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** The approvals that a pull request has, and how many it needs; 0 where its target is not protected. */
type Approvals = { readonly given: number; readonly needed: number }

/**
 * Counts who approved this head last. Only those who may write the target count, and never its author: an author could otherwise name a friend as reviewer,
 * who reads no more than the source.
 */
async function approvalsOf(ctx: Ctx, row: PullRequestRow, target: ResourceRow, head: string): Promise<Approvals> {
  const now = (await ctx.db.resources.byId(target.id)) ?? target
  const votes = await ctx.db.comments.votes([row.id])
  const authors = votes.filter((vote) => vote.status === 'approved' && vote.head === head && vote.author_id !== row.author_id)
  const users = authors.length > 0 ? await ctx.db.users.byIds(authors.map(({ author_id }) => author_id)) : []
  let given = 0
  for (const { id, active, administrator } of users) {
    if (!active) continue
    const { level } = await heldOn(ctx.db, now, { userId: id, administrator })
    if (atLeast(level, 'write')) given += 1
  }
  return { given, needed: approvalsNeeded(now, row.target_branch) ?? 0 }
}

/** Refuses a merge into a protected branch that too few have approved: `state_conflict`, with both numbers. */
async function refuseUnapproved(ctx: Ctx, row: PullRequestRow, target: ResourceRow, head: string): Promise<void> {
  const { given, needed } = await approvalsOf(ctx, row, target, head)
  if (given >= needed) return
  throw fault(
    'state_conflict',
    {
      what: `The pull request "${row.serial}"`,
      state: `approved by ${given} of the ${needed} that the protected branch "${row.target_branch}" needs`,
      next: `Ask somebody else who may write "${target.name}" to approve its head.`,
    },
    { details: { approvals: given, approvals_needed: needed } },
  )
}

export { approvalsOf, refuseUnapproved }
