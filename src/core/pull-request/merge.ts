import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { specAfter } from '../repository/after-push.ts'
import { branchName } from '../repository/branch-name.ts'
import { openPush, settle, signatureOf } from '../repository/commit-files.ts'
import { storageOf } from '../repository/code.ts'
import { onStorage } from '../repository/on-storage.ts'
import { pushEvent, recordPush } from '../repository/push-record.ts'
import { refuseUnapproved } from './approval.ts'
import { endsOf, tipsOf } from './ends.ts'
import { PullRequestMember, pullRequestSubject } from './inputs.ts'
import { auditSubject, stillOpen, tell } from './state.ts'
import { PullRequest, viewPullRequest } from './view.ts'
import { causeOfCall } from '../workflow/trigger/queue.ts'
import type { Ctx } from '../operation/context.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { PullRequestRow } from '../../ports/store/reviews.ts'
import type { PushRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { RepositorySpec } from '../repository/spec.ts'
import type { Ends, Tips } from './ends.ts'
import type { MergeRecord, PullRequestView } from './view.ts'

const mergePullRequest = defineOperation({
  name: 'pull-request.merge',
  summary: 'Merges a pull request into its target branch and gives it as it is then.',
  description:
    'Needs write on the target, and is recorded there as the push that it stands for. `fast-forward` moves the branch and makes no commit, and so does Mercurial wherever it has nothing to merge. Into a protected branch only with its approvals. Conflicts are refused, with the names of the files in `details.conflicts`. A head that came into the target by other ways is only marked as merged.',
  input: Closed({
    pull_request: PullRequestMember,
    strategy: Type.Optional(OneOf(['merge', 'fast-forward'], { description: 'merge when left out: a commit with both as parents.' })),
    message: Type.Optional(Type.String({ minLength: 1, maxLength: 100_000, description: 'Of the commit that is made.' })),
    head: Type.Optional(Type.String({ pattern: '^[0-9a-f]{40}$', description: 'Merge only if this is still its head.' })),
  }),
  output: PullRequest,
  access: 'signed-in',
  subjects: pullRequestSubject('write'),
  effect: 'act',
  audit: {
    ...auditSubject,
    detail: (_, output) =>
      output?.merge
        ? {
            repository: output.repository,
            branch: output.target_branch,
            head: output.head,
            commit: output.merge.commit,
            strategy: output.merge.strategy,
          }
        : {},
  },
  example: { pull_request: '5' },
  async run(ctx, input, { pullRequest }) {
    const row = await stillOpen(ctx.db, pullRequest.row)
    const ends = await endsOf(ctx, row)
    const tips = await tipsOf(ctx, ends)
    if (input.head !== undefined && input.head !== tips.head) throw moved('source', ends.sourceBranch)
    const strategy = input.strategy ?? 'merge'
    if (tips.base === tips.head) return markMerged(ctx, { row, ends, tips, strategy: 'none' }, tips.ours)
    if (strategy === 'fast-forward' && tips.base !== tips.ours) {
      throw fault('state_conflict', {
        what: `The branch "${row.target_branch}"`,
        state: `ahead of where "${row.source_branch}" left it`,
        next: 'Merge with the strategy merge, or rebase the source branch.',
      })
    }
    await refuseUnapproved(ctx, row, ends.target, tips.head)
    return merge(ctx, { row, ends, tips, strategy }, input.message ?? messageOf(row))
  },
})

type Plan = { readonly row: PullRequestRow; readonly ends: Ends; readonly tips: Tips; readonly strategy: MergeRecord['strategy'] }

// An intent before the branch moves, then one commit of the record of the push, the pull request and the audit line. A server that is killed in between
// finishes the record of the push at its next start; the pull request, whose head is part of the target then, is marked by merging it again.
async function merge(ctx: Ctx, plan: Plan, message: string): Promise<PullRequestView> {
  const { row, ends, tips, strategy } = plan
  const { target, source, targetBranch } = ends
  const push: { intent: PushRow | null; recorded: boolean } = { intent: null, recorded: false }
  try {
    const onMade = async (to: string) => {
      await keepHead(ctx, plan)
      await stillOpen(ctx.db, row)
      // A vote may have been taken back while the merge was made.
      await refuseUnapproved(ctx, row, target, tips.head)
      push.intent = await openPush(ctx, target, { ref: targetBranch, from: tips.ours, to })
    }
    const commit = strategy === 'merge' ? { author: signatureOf(ctx), message } : null
    const change = { branch: targetBranch, ours: tips.ours, theirs: tips.head, source: source.id, commit }
    const made = await onStorage(ctx, target, () => storageOf(ctx.services, target).merge(target.id, change, { signal: ctx.signal, onMade }))
    if (made === 'conflict') throw moved('target', targetBranch)
    if ('conflicts' in made) throw inConflict(row, made.conflicts)
    if (!push.intent) throw new Error('A branch moved before its intent was recorded')
    const { intent } = push
    const changes: RefUpdate[] = [{ ref: targetBranch, from: tips.ours, to: made.commit }]
    const fresh = await specAfter(ctx.services, target, changes)
    // Mercurial moves the branch where there is nothing to merge.
    const done = made.commit === tips.head ? { ...plan, strategy: 'fast-forward' as const } : plan
    const view = await markMerged(ctx, done, made.commit, { intent, changes, fresh })
    push.recorded = true
    ctx.emit(pushEvent(target, intent, changes))
    return view
  } finally {
    if (push.intent && !push.recorded) await settle(ctx, push.intent)
  }
}

type Pushed = { readonly intent: PushRow; readonly changes: readonly RefUpdate[]; readonly fresh: Partial<RepositorySpec> }

async function markMerged(ctx: Ctx, plan: Plan, commit: string, pushed?: Pushed): Promise<PullRequestView> {
  const { row, tips, strategy } = plan
  if (!pushed) await keepHead(ctx, plan)
  const record: MergeRecord = { strategy, commit, by: ctx.principal.name, by_id: ctx.principal.id }
  const view = await ctx.write(async (inside) => {
    const now = inside.clock.now()
    if (pushed) await recordPush(inside.db, pushed.intent, pushed.changes, pushed.fresh, now, causeOfCall(inside.origin))
    // The branch has moved: whoever closed it meanwhile was too late.
    else await stillOpen(inside.db, row)
    const base = tips.base === tips.head ? {} : { base: tips.base }
    await inside.db.pullRequests.update(row.id, { state: 'merged', head: tips.head, ...base, merge: record, updated_at: now, closed_at: now })
    return viewPullRequest(inside, await again(inside.db, row))
  })
  tell(ctx, row, 'merged')
  return view
}

async function again(db: Tables, row: PullRequestRow): Promise<PullRequestRow> {
  return (await db.pullRequests.byId(row.id)) ?? row
}

/** Keeps the head under a name of its own, so that it stays when its branch goes (Kallithea contract §12.3). */
async function keepHead(ctx: Ctx, { row, ends, tips }: Plan): Promise<void> {
  const { source } = ends
  const storage = storageOf(ctx.services, source)
  const ref = `refs/pull/${row.serial}/head`
  await onStorage(ctx, source, async () => {
    const from = await storage.resolve(source.id, ref)
    if (from === tips.head) return
    if ((await storage.updateRefs(source.id, [{ ref, from, to: tips.head }])) === 'conflict') throw moved('source', ends.sourceBranch)
  })
}

function messageOf({ serial, title, source_branch }: PullRequestRow): string {
  return `Merge pull request ${serial} from ${source_branch}\n\n${title}\n`
}

function moved(end: 'source' | 'target', ref: string) {
  const what = `The ${end} branch "${branchName(ref)}"`
  return fault('state_conflict', { what, state: 'elsewhere by now', next: 'Look at the pull request again, and then merge it.' })
}

function inConflict({ source_branch, target_branch }: PullRequestRow, conflicts: readonly string[]) {
  const shown = conflicts.slice(0, 3).join(', ')
  const state = `in conflict with "${target_branch}" in ${conflicts.length} file(s): ${shown}${conflicts.length > 3 ? ', …' : ''}`
  return fault(
    'state_conflict',
    { what: `The branch "${source_branch}"`, state, next: 'Merge the target branch into it, resolve them and push.' },
    { details: { conflicts } },
  )
}

export { mergePullRequest }
