import { mayReadPullRequest } from '../access/pull-request.ts'
import { parseReference } from '../access/reference.ts'
import { fault } from '../kernel/fault.ts'
import type { Ctx } from '../operation/context.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { UserRow } from '../../ports/store/rows.ts'

type Readable = Pick<PullRequestRow, 'source_id' | 'target_id' | 'state'>

/**
 * Ids of the users named, each once. Who is not there and who may not read the pull request are the same `not_found`: the caller shall not learn of users
 * who have nothing to do with it.
 */
async function reviewerIds(ctx: Ctx, row: Readable, references: readonly string[], member = 'reviewers'): Promise<string[]> {
  const ids = new Set<string>()
  for (const reference of references) {
    const user = await userAt(ctx, reference)
    if (!user || !(await mayReview(ctx, row, user))) {
      const context = { absence: user ? 'hidden' : 'missing', kind: 'user', reference, member } as const
      throw fault('not_found', { kind: 'user', reference }, { private: context })
    }
    ids.add(user.id)
  }
  return [...ids]
}

/** Ids of the users named, as far as they are among `known`: who may be taken off need not be readable any more. */
async function namedAmong(ctx: Ctx, references: readonly string[], known: readonly string[]): Promise<Set<string>> {
  const users = await Promise.all(references.map((reference) => userAt(ctx, reference)))
  return new Set(users.flatMap((user) => (user && known.includes(user.id) ? user.id : [])))
}

async function userAt(ctx: Ctx, reference: string): Promise<UserRow | null> {
  const { id, name } = parseReference(reference, ['user'])
  return id ? ctx.db.users.byId(id) : ctx.db.users.byLogin(name ?? '')
}

async function mayReview(ctx: Ctx, row: Readable, user: UserRow): Promise<boolean> {
  if (user.kind === 'builtin' || !user.active || user.pending) return false
  return mayReadPullRequest(ctx, row, { userId: user.id, administrator: user.administrator })
}

export { reviewerIds, namedAmong }
