import { isFault } from '../../../core/kernel/fault.ts'
import { asIs, BadArgument, flag, optional, required, text } from '../argument.ts'
import { coded, denied, hidden, missing } from '../errors.ts'
import { locateUser } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { pullRequestReads, wholePullRequest } from '../pull-request-view.ts'
import type { PullRequestView } from '../../../core/pull-request/view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { LocatedUser } from '../locate.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

const mayNotComment = 'No permission to add comment. User needs at least reading permissions to the source repository.'
const mayNotClose = 'No permission to close pull request. User needs to be admin or owner.'
const mayNotVote = 'No permission to change pull request status. User needs to be admin, owner or reviewer.'
const mayNotEdit = 'No permission to edit reviewers of this pull request. User needs to be admin or pull request owner.'

/** The pull request of a number or digits; everything else names none. */
async function pullRequestAt(call: MethodCall, given: Json, none: string): Promise<PullRequestView> {
  const digits = /^0*([1-9][0-9]{0,14})$/.exec(typeof given === 'number' || typeof given === 'string' ? String(given) : '')?.[1]
  if (digits === undefined) call.refuse(none)
  return call.invoke<PullRequestView>('pull-request.get', { pull_request: `pull-request:${digits}` })
}

function isOwn(call: MethodCall, { author_id }: PullRequestView): boolean {
  return author_id === call.caller.principal.id
}

const absentPullRequest = 'pull request `{pullrequest_id}` does not exist'

const getPullRequest = defineMethod({
  name: 'get_pullrequest',
  args: { pullrequest_id: required(asIs) },
  caller: 'anybody',
  operations: ['pull-request.get', ...pullRequestReads],
  errors: [hidden('pull-request', 'not allowed'), missing('pull-request', absentPullRequest)],
  run: async (call, args) => wholePullRequest(call, await pullRequestAt(call, args.pullrequest_id, absentPullRequest)),
})

const noPullRequest = 'pull request `{pull_request_id}` does not exist'
const statuses = ['not_reviewed', 'under_review', 'rejected', 'approved']

const commentPullRequest = defineMethod({
  name: 'comment_pullrequest',
  args: {
    pull_request_id: required(asIs),
    comment_msg: optional(text, ''),
    status: optional(asIs, null),
    close_pr: optional(flag, false),
  },
  caller: 'anybody',
  operations: ['pull-request.get', 'pull-request.comment'],
  errors: [hidden('pull-request', mayNotComment), missing('pull-request', noPullRequest), coded('state_conflict', 'pull request is already closed')],
  async run(call, args) {
    const it = await pullRequestAt(call, args.pull_request_id, noPullRequest)
    const { comment_msg, status, close_pr } = args
    const voting = status !== null && status !== ''
    const { administrator } = call
    // In the contract's order, and narrower than ours: here whoever may write the target is nobody special.
    if (close_pr && !administrator && !isOwn(call, it)) call.refuse(mayNotClose)
    const reviewer = it.reviewers.some(({ id }) => id === call.caller.principal.id)
    if (voting && !administrator && !isOwn(call, it) && !reviewer) call.refuse(mayNotVote)
    if (it.state !== 'open') call.refuse('pull request is already closed')
    if (voting && !statuses.some((known) => known === status)) throw new BadArgument()
    await call.invoke('pull-request.comment', {
      pull_request: it.id,
      text: comment_msg,
      ...(voting ? { status } : {}),
      ...(close_pr ? { close: true } : {}),
    })
    return true
  },
})

type Named = LocatedUser & { readonly given: Json }

/** The users of an argument: one, or a list of them. */
async function usersIn(call: MethodCall, given: Json): Promise<Named[]> {
  const users: Named[] = []
  for (const one of given === null ? [] : Array.isArray(given) ? (given as Json[]) : [given]) {
    call.know({ named: one })
    const user = await locateUser(call, one)
    if (user.kind === 'builtin') throw new BadArgument()
    users.push({ ...user, given: one })
  }
  return users
}

const editReviewers = defineMethod({
  name: 'edit_reviewers',
  args: { pull_request_id: required(asIs), add: optional(asIs, null), remove: optional(asIs, null) },
  caller: 'anybody',
  operations: ['pull-request.get', 'permission.get', 'user.locate', 'pull-request.update'],
  errors: [
    hidden('pull-request', mayNotEdit),
    denied('pull-request', mayNotEdit),
    missing('pull-request', noPullRequest),
    missing('user', 'user `{named}` does not exist'),
    coded('state_conflict', 'Cannot edit reviewers of a closed pull request.'),
  ],
  async run(call, { pull_request_id, add, remove }) {
    if (add === null && remove === null) call.refuse("Invalid request. Neither 'add' nor 'remove' is specified.")
    const it = await pullRequestAt(call, pull_request_id, noPullRequest)
    if (!call.administrator && !isOwn(call, it) && !(await administers(call, it.repository_id))) call.refuse(mayNotEdit)
    if (it.state !== 'open') call.refuse('Cannot edit reviewers of a closed pull request.')
    const [added, removed] = [await usersIn(call, add), await usersIn(call, remove)]
    const before = new Set(it.reviewers.map(({ id }) => id))
    const fresh = added.filter(({ id }) => !before.has(id))
    await change(call, it, fresh, removed)
    return { added: names(fresh), already_present: names(added.filter(({ id }) => before.has(id))), removed: names(removed) }
  },
})

async function change(call: MethodCall, { id }: PullRequestView, added: readonly Named[], removed: readonly Named[]): Promise<void> {
  const references = (users: readonly Named[]) => [...new Set(users.map((user) => `user:${user.id}`))]
  try {
    await call.invoke('pull-request.update', { pull_request: id, add_reviewers: references(added), remove_reviewers: references(removed) })
  } catch (error) {
    // Who may not read it cannot review it: the text is about the one who was named.
    const refused = isFault(error) ? error.params.reference : undefined
    call.know({ named: added.find((user) => `user:${user.id}` === refused)?.given })
    throw error
  }
}

function names(users: readonly Named[]): string[] {
  return [...new Set(users.map(({ name }) => name))]
}

async function administers(call: MethodCall, repositoryId: string): Promise<boolean> {
  try {
    return (await call.invoke<{ level: string }>('permission.get', { on: `repository:${repositoryId}` })).level === 'admin'
  } catch (error) {
    if (isFault(error) && ['not_found', 'forbidden'].includes(error.code)) return false
    throw error
  }
}

/** Contract §10. */
const pullRequestMethods: readonly AnyMethod[] = [getPullRequest, commentPullRequest, editReviewers]

export { pullRequestMethods }
