import type { Case, Provoked } from './contract-cases.suite.ts'
import type { World } from './contract-world.suite.ts'

const noRepository = async (): Promise<Provoked> => ({ args: { repoid: 'no/such' } })
const branchOf = (world: World) => (world.kind === 'git' ? 'master' : 'default')

/** A private repository with a commit, which nobody but its owner and administrators may read. */
async function secret(world: World): Promise<{ name: string; id: number }> {
  return world.filled({ private: true })
}

/** A pull request from a fork, with one commit. */
export async function pullRequest(world: World, options: { secret?: boolean; reviewers?: string[] } = {}) {
  const target = await (options.secret ? secret(world) : world.filled())
  const source = await world.fork(target.name)
  if (options.secret) await world.lab.app.system('repository.update', { repository: source, private: true })
  const ends = { target_branch: branchOf(world), source_branch: branchOf(world) }
  const files = [{ path: 'new.txt', text: 'new' }]
  await world.lab.app.system('repository.commit-files', { repository: source, branch: ends.source_branch, message: 'more', files })
  const input = { repository: target.name, source_repository: source, ...ends, title: 'Bring: more, please!', reviewers: options.reviewers ?? [] }
  const made: { id: string; serial: number; head: string; base: string } = await world.root.ok('pull-request.create', input)
  return { ...made, target, source, branch: branchOf(world) }
}

const noPullRequest = 'pull request `{pull_request_id}` does not exist'
const mayNotEdit = 'No permission to edit reviewers of this pull request. User needs to be admin or pull request owner.'

/** Changesets and pull requests: a line here for each line of the contract's table. */
export const reviewCases: Readonly<Record<string, Case>> = {
  get_changesets: {
    repositories: true,
    good: async (world) => ({ args: { repoid: (await world.filled()).name, max_revisions: '5', reverse: 'true', start: 0, end: 'tip' } }),
    errors: {
      'repository `{repoid}` does not exist': noRepository,
      'Access denied to repo {repo_name}': async (world) => {
        const { id, name } = await secret(world)
        return { args: { repoid: id }, as: world.ann, words: { repo_name: name } }
      },
      'Repository is empty': async (world) => ({ args: { repoid: (await world.repo()).id } }),
      'Internal server error (bad revision, branch, date or range)': async (world) => ({
        args: { repoid: (await world.filled()).id, branch_name: 'no-such' },
      }),
    },
  },
  get_changeset: {
    repositories: true,
    good: async (world) => ({
      args: { repoid: (await world.filled()).name, raw_id: 'tip', with_reviews: true, with_comments: 'yes', with_inline_comments: 1 },
    }),
    errors: {
      'repository `{repoid}` does not exist': async () => ({ args: { repoid: 99_999, raw_id: 'tip' } }),
      'Access denied to repo {repo_name}': async (world) => {
        const { name } = await secret(world)
        return { args: { repoid: name, raw_id: 'none' }, as: world.ann, words: { repo_name: name } }
      },
      'Changeset {raw_id} does not exist': async (world) => ({ args: { repoid: (await world.filled()).id, raw_id: 'f'.repeat(40) } }),
    },
  },
  get_pullrequest: {
    repositories: true,
    good: async (world) => ({ args: { pullrequest_id: String((await pullRequest(world)).serial) } }),
    errors: {
      'pull request `{pullrequest_id}` does not exist': async () => ({ args: { pullrequest_id: 99_999 } }),
      'not allowed': async (world) => ({ args: { pullrequest_id: (await pullRequest(world, { secret: true })).serial }, as: world.ann }),
    },
  },
  comment_pullrequest: {
    repositories: true,
    good: async (world) => ({ args: { pull_request_id: (await pullRequest(world)).serial, status: 'approved', close_pr: 'true' } }),
    errors: {
      [noPullRequest]: async () => ({ args: { pull_request_id: null }, words: { pull_request_id: null } }),
      'No permission to add comment. User needs at least reading permissions to the source repository.': async (world) => ({
        args: { pull_request_id: (await pullRequest(world, { secret: true })).serial, close_pr: true, status: 'approved' },
        as: world.ann,
      }),
      'No permission to close pull request. User needs to be admin or owner.': async (world) => ({
        args: { pull_request_id: (await pullRequest(world)).serial, close_pr: true, status: 'approved' },
        as: world.ann,
      }),
      'No permission to change pull request status. User needs to be admin, owner or reviewer.': async (world) => ({
        args: { pull_request_id: (await pullRequest(world)).serial, status: 'approved' },
        as: world.ann,
      }),
      'pull request is already closed': async (world) => {
        const { serial } = await pullRequest(world)
        await world.lab.result(world.root, 'comment_pullrequest', { pull_request_id: serial, close_pr: true })
        return { args: { pull_request_id: serial, comment_msg: 'late', status: 'nonsense' } }
      },
    },
  },
  edit_reviewers: {
    repositories: true,
    kept: ['add'],
    good: async (world) => ({ args: { pull_request_id: (await pullRequest(world)).serial, add: [world.ann.name], remove: world.root.name } }),
    errors: {
      "Invalid request. Neither 'add' nor 'remove' is specified.": async () => ({ args: { pull_request_id: 99_999, add: null } }),
      [noPullRequest]: async () => ({ args: { pull_request_id: 'abc', add: [] } }),
      [mayNotEdit]: async (world) => ({ args: { pull_request_id: (await pullRequest(world)).serial, remove: 'nobody' }, as: world.ann }),
      'Cannot edit reviewers of a closed pull request.': async (world) => {
        const { serial } = await pullRequest(world)
        await world.lab.result(world.root, 'comment_pullrequest', { pull_request_id: serial, close_pr: true })
        return { args: { pull_request_id: serial, add: 'nobody' } }
      },
      'user `{name or id}` does not exist': async (world) => ({
        args: { pull_request_id: (await pullRequest(world)).serial, add: [world.ann.name], remove: ['nobody'] },
        words: { 'name or id': 'nobody' },
      }),
      'Internal server error (the default user was named)': async (world) => ({
        args: { pull_request_id: (await pullRequest(world)).serial, add: 'default' },
      }),
    },
  },
}
