import { gistCases } from './gist-cases.suite.ts'
import { reviewCases } from './review-cases.suite.ts'
import type { Who, World } from './contract-world.suite.ts'

/** One call that ends with an error: what it sends, as whom (the administrator, unless it says), and the words of the template. */
export type Provoked = {
  readonly args: Readonly<Record<string, unknown>>
  readonly as?: Who
  readonly words?: Readonly<Record<string, unknown>>
  /** A right that nobody has meanwhile. */
  readonly without?: string
}

export type Case = {
  /** Arguments of a call that works, for the administrator, and the words of its message. */
  readonly good: (world: World) => Promise<{ args: Record<string, unknown>; words?: Record<string, unknown> }>
  /** By template of the contract. */
  readonly errors: Readonly<Record<string, ((world: World) => Promise<Provoked>) | { readonly unprovoked: string }>>
  /** What may be left out, but not all of it at once: kept where everything else is null. */
  readonly kept?: readonly string[]
  /** It is about repositories, so it is called for each kind of them. */
  readonly repositories?: boolean
}

const notAdmin = 'Internal server error (caller is not an admin)'
const plain = (args: Record<string, unknown>) => async () => ({ args })
const noRepository = async (): Promise<Provoked> => ({ args: { repoid: 'no/such' } })
const hidden = (args: Record<string, unknown>) => async (): Promise<Provoked> => ({ args })

const noUser = 'user `{userid}` does not exist'
const noUserGroup = 'user group `{usergroupid}` does not exist'
const noRepo = 'repository `{repoid}` does not exist'
const noRepoGroup = 'repository group `{repogroupid}` does not exist'
const noPermission = 'permission `{perm}` does not exist'
const long = 'x'.repeat(300)

/** What the methods of users, user groups, repositories and groups of repositories are called with: a line here for each line of the contract's table. */
export const cases: Readonly<Record<string, Case>> = {
  ...gistCases,
  ...reviewCases,
  test: { good: plain({ args: { a: 1 } }), errors: {} },
  pull: {
    repositories: true,
    good: async (world) => {
      const { name } = await world.filled()
      const fork = await world.fork(name)
      return { args: { repoid: fork }, words: { repo_name: fork } }
    },
    errors: {
      [noRepo]: noRepository,
      'Unable to pull changes from `{repo_name}`': async (world) => {
        const { id, name } = await world.repo()
        return { args: { repoid: id }, words: { repo_name: name } }
      },
    },
  },
  rescan_repos: {
    good: plain({}),
    errors: { 'Error occurred during rescan repositories action': async () => ({ args: { remove_obsolete: 'perhaps' } }) },
  },
  invalidate_cache: {
    repositories: true,
    good: async (world) => ({ args: { repoid: (await world.filled()).name } }),
    errors: { [noRepo]: noRepository, 'Error occurred during cache invalidation action': { unprovoked: 'needs storage that is broken' } },
  },
  get_ip: { good: plain({}), errors: { [noUser]: hidden({ userid: 'nobody' }) } },
  get_server_info: { good: plain({}), errors: {} },

  get_user: {
    good: async (world) => ({ args: { userid: (await world.user()).name } }),
    errors: {
      'userid is not the same as your user': async (world) => ({ args: { userid: world.ann.name }, as: world.ann }),
      [noUser]: hidden({ userid: 99_999 }),
    },
  },
  get_users: { good: plain({}), errors: {} },
  create_user: {
    good: async (world) => {
      const username = world.name('new')
      return { args: { username, email: `${username}@lab.test`, password: 'a phrase that is long', firstname: 'N', lastname: 'E', active: 'yes' } }
    },
    errors: {
      'user `{username}` already exist': async (world) => ({ args: { username: world.ann.name.toUpperCase(), email: 'x@lab.test' } }),
      'email `{email}` already exist': async (world) => ({ args: { username: world.name('new'), email: `${world.ann.name}@lab.test` } }),
      'failed to create user `{username}`': hidden({ username: 'a/b', email: 'a-b@lab.test' }),
    },
  },
  update_user: {
    good: async (world) => {
      const { id, name } = await world.user()
      const username = `${name}x`
      return { args: { userid: id, username, active: false }, words: { user_id: id } }
    },
    errors: {
      [noUser]: hidden({ userid: 'nobody' }),
      'editing default user is forbidden': hidden({ userid: 'default', firstname: 'x' }),
      'failed to update user `{userid}`': async (world) => ({ args: { userid: (await world.user()).id, username: world.ann.name } }),
    },
  },
  delete_user: {
    good: async (world) => {
      const { id, name } = await world.user()
      return { args: { userid: String(id) }, words: { user_id: id, username: name } }
    },
    errors: {
      [noUser]: hidden({ userid: 'nobody' }),
      'failed to delete user ID:{user_id} {username}': async () => ({ args: { userid: 1 }, words: { user_id: 1, username: 'default' } }),
    },
  },

  get_user_group: {
    good: async (world) => ({ args: { usergroupid: (await world.userGroup()).id } }),
    errors: { [noUserGroup]: hidden({ usergroupid: 'none' }) },
  },
  get_user_groups: { good: plain({}), errors: {} },
  create_user_group: {
    good: async (world) => ({ args: { group_name: world.name('team'), owner: world.ann.name } }),
    errors: {
      'Internal server error (caller lacks the global permission)': async (world) => ({ args: { group_name: world.name('team') }, as: world.ann }),
      'user group `{group_name}` already exist': async (world) => ({ args: { group_name: (await world.userGroup()).name } }),
      'user `{owner}` does not exist': async (world) => ({ args: { group_name: world.name('team'), owner: 'nobody' } }),
      'failed to create group `{group_name}`': hidden({ group_name: '' }),
    },
  },
  update_user_group: {
    good: async (world) => {
      const { id } = await world.userGroup()
      const group_name = world.name('renamed')
      return { args: { usergroupid: id, group_name }, words: { users_group_id: id, group_name } }
    },
    errors: {
      [noUserGroup]: hidden({ usergroupid: 'none' }),
      'user `{owner}` does not exist': async (world) => ({ args: { usergroupid: (await world.userGroup()).id, owner: 'nobody' } }),
      'failed to update user group `{usergroupid}`': async (world) => ({ args: { usergroupid: (await world.userGroup()).id, group_name: 'a/b' } }),
    },
  },
  delete_user_group: {
    good: async (world) => {
      const { id, name } = await world.userGroup()
      return { args: { usergroupid: name }, words: { users_group_id: id, group_name: name } }
    },
    errors: {
      [noUserGroup]: hidden({ usergroupid: 'none' }),
      'User Group assigned to {repo names, comma-space separated}': async (world) => {
        const [group, repo] = [await world.userGroup(), await world.repo()]
        await world.lab.result(world.root, 'grant_user_group_permission', { repoid: repo.id, usergroupid: group.id, perm: 'repository.read' })
        return { args: { usergroupid: group.id }, words: { 'repo names, comma-space separated': repo.name } }
      },
      'failed to delete user group ID:{users_group_id} {group_name}': async (world) => {
        const { name } = await world.repoGroup()
        await world.lab.app.system('user.update', { user: world.ann.name, organisation: name })
        const { users_group_id: id, group_name } = (await world.lab.result(world.root, 'get_user_groups')).find(
          (group: { group_name: string }) => group.group_name === `members:${name}`,
        )
        return { args: { usergroupid: id }, words: { users_group_id: id, group_name } }
      },
    },
  },
  add_user_to_user_group: {
    good: async (world) => {
      const [group, user] = [await world.userGroup(), await world.user()]
      return { args: { usergroupid: group.id, userid: user.name }, words: { username: user.name, group_name: group.name } }
    },
    errors: {
      [noUser]: hidden({ usergroupid: 'none', userid: 'nobody' }),
      [noUserGroup]: async (world) => ({ args: { usergroupid: 'none', userid: world.ann.name } }),
      'failed to add member to user group `{group_name}`': async (world) => {
        const { name } = await world.userGroup()
        return { args: { usergroupid: name, userid: 'default' }, words: { group_name: name } }
      },
    },
  },
  remove_user_from_user_group: {
    good: async (world) => {
      const [group, user] = [await world.userGroup(), await world.user()]
      await world.lab.result(world.root, 'add_user_to_user_group', { usergroupid: group.id, userid: user.id })
      return { args: { usersgroupid: group.id, userid: user.id }, words: { username: user.name, group_name: group.name } }
    },
    errors: {
      [noUser]: hidden({ usergroupid: 'none', userid: 'nobody' }),
      [noUserGroup]: async (world) => ({ args: { usergroupid: 'none', userid: world.ann.name } }),
      'failed to remove member from user group `{group_name}`': async (world) => {
        const { name } = await world.repoGroup()
        await world.lab.app.system('user.update', { user: world.ann.name, organisation: name })
        return { args: { usergroupid: `members:${name}`, userid: world.ann.name }, words: { group_name: `members:${name}` } }
      },
    },
  },

  get_repo: {
    repositories: true,
    good: async (world) => ({ args: { repoid: (await world.filled()).name, with_revision_names: 'true' } }),
    errors: { [noRepo]: noRepository },
  },
  get_repos: { repositories: true, good: plain({}), errors: {} },
  get_repo_nodes: {
    repositories: true,
    good: async (world) => ({ args: { repoid: (await world.filled()).id, revision: 'tip', root_path: '/' } }),
    errors: {
      [noRepo]: async () => ({ args: { repoid: null, revision: 'tip', root_path: '/' }, words: { repoid: 'None' } }),
      'ret_type must be one of all,dirs,files': async (world) => ({
        args: { repoid: (await world.filled()).id, revision: 'tip', root_path: '/', ret_type: 'links' },
      }),
      'failed to get repo: `{repo_name}` nodes': async (world) => {
        const { name } = await world.filled()
        return { args: { repoid: name, revision: 'tip', root_path: 'README.md' }, words: { repo_name: name } }
      },
    },
  },
  create_repo: {
    repositories: true,
    good: async (world) => ({ args: { repo_name: `${(await world.repoGroup()).name}/inside`, repo_type: world.kind, private: 'on' } }),
    errors: {
      'repo group `{parent path}` not found': async () => ({ args: { repo_name: 'no/such/repo' }, words: { 'parent path': 'no/such' } }),
      'no permission to create repo in {parent path}': async (world) => {
        const { name } = await world.repoGroup()
        return { args: { repo_name: `${name}/r` }, as: world.ann, words: { 'parent path': name } }
      },
      'no permission to create top level repo': async (world) => ({
        args: { repo_name: world.name('top') },
        as: world.ann,
        without: 'repository.create',
      }),
      'Only Kallithea admin can specify `owner` param': async (world) => ({
        args: { repo_name: world.name('top'), owner: world.ann.name },
        as: world.ann,
      }),
      'user `{owner}` does not exist': async (world) => ({ args: { repo_name: world.name('top'), owner: 'nobody' } }),
      'repo `{repo_name}` already exist': async (world) => ({ args: { repo_name: (await world.repo()).name } }),
      'failed to create repository `{repo_name}`': async (world) => ({ args: { repo_name: world.name('top'), landing_rev: 'tip' } }),
    },
  },
  update_repo: {
    repositories: true,
    good: async (world) => {
      const { id } = await world.repo()
      const name = world.name('renamed')
      return { args: { repoid: id, name, private: true, enable_downloads: 'false' }, words: { repo_id: id, repo_name: name } }
    },
    errors: {
      [noRepo]: async (world) => ({ args: { repoid: (await world.repo()).id }, as: world.ann }),
      'no permission to create (or move) top level repositories': async (world) => {
        const { id, name } = await world.repo()
        await world.grant(world.ann, `repository:${name}`, 'admin')
        return { args: { repoid: id, description: 'x' }, as: world.ann, without: 'repository.create' }
      },
      'Only Kallithea admin can specify `owner` param': async (world) => {
        const { id, name } = await world.repo()
        await world.grant(world.ann, `repository:${name}`, 'admin')
        return { args: { repoid: id, owner: world.ann.name }, as: world.ann }
      },
      'repository group `{group}` does not exist': async (world) => ({ args: { repoid: (await world.repo()).id, group: 'none' } }),
      'no permission to create (or move) repo in {group path}': async (world) => {
        const [{ id, name }, group] = [await world.repo(), await world.repoGroup()]
        await world.grant(world.ann, `repository:${name}`, 'admin')
        return { args: { repoid: id, group: group.id }, as: world.ann, words: { 'group path': group.name } }
      },
      'failed to update repo `{repoid}`': async (world) => ({ args: { repoid: (await world.repo()).id, owner: 'nobody' } }),
    },
  },
  fork_repo: {
    repositories: true,
    good: async (world) => {
      const { name } = await world.filled()
      return { args: { repoid: name, fork_name: world.name('fork') }, words: { repo_name: name } }
    },
    errors: {
      'Internal server error (caller lacks the global permission)': async (world) => ({
        args: { repoid: (await world.repo()).id, fork_name: world.name('fork') },
        as: world.ann,
        without: 'repository.fork',
      }),
      [noRepo]: async (world) => ({ args: { repoid: 'none', fork_name: world.name('fork') } }),
      'fork `{fork_name}` already exist': async (world) => {
        const { name } = await world.repo()
        return { args: { repoid: name, fork_name: await world.fork(name) } }
      },
      'repo `{fork_name}` already exist': async (world) => ({ args: { repoid: (await world.repo()).id, fork_name: (await world.repo()).name } }),
      'repo group `{parent path}` not found': async (world) => ({
        args: { repoid: (await world.repo()).id, fork_name: 'no/fork' },
        words: { 'parent path': 'no' },
      }),
      'no permission to create repo in {parent path}': async (world) => {
        const group = await world.repoGroup()
        return { args: { repoid: (await world.repo()).id, fork_name: `${group.name}/f` }, as: world.ann, words: { 'parent path': group.name } }
      },
      'no permission to create top level repo': async (world) => ({
        args: { repoid: (await world.repo()).id, fork_name: world.name('fork') },
        as: world.ann,
        without: 'repository.create',
      }),
      'Only Kallithea admin can specify `owner` param': async (world) => ({
        args: { repoid: (await world.repo()).id, fork_name: world.name('fork'), owner: 1 },
        as: world.ann,
      }),
      'user `{owner}` does not exist': async (world) => ({ args: { repoid: (await world.repo()).id, fork_name: world.name('fork'), owner: 99_999 } }),
      'failed to fork repository `{repo_name}` as `{fork_name}`': async (world) => {
        const { name } = await world.repo()
        return { args: { repoid: name, fork_name: '.hidden' }, words: { repo_name: name } }
      },
    },
  },
  delete_repo: {
    repositories: true,
    good: async (world) => {
      const { name } = await world.repo()
      return { args: { repoid: name }, words: { repo_name: name } }
    },
    errors: {
      [noRepo]: async (world) => ({ args: { repoid: (await world.repo()).name }, as: world.ann }),
      'Cannot delete `{repo_name}` it still contains attached forks': async (world) => {
        const { id, name } = await world.repo()
        await world.fork(name)
        return { args: { repoid: id, forks: 'keep' }, words: { repo_name: name } }
      },
      'failed to delete repository `{repo_name}`': async (world) => {
        const { name } = await world.repo()
        await world.fork(name)
        await world.grant(world.ann, `repository:${name}`, 'admin')
        return { args: { repoid: name, forks: 'delete' }, as: world.ann, words: { repo_name: name } }
      },
    },
  },
  grant_user_permission: {
    repositories: true,
    good: async (world) => {
      const [repo, user] = [await world.repo(), await world.user()]
      return { args: { repoid: repo.id, userid: user.id, perm: 'repository.write' }, words: { username: user.name, repo_name: repo.name } }
    },
    errors: {
      [noRepo]: hidden({ repoid: 'none', userid: 'nobody', perm: 'x' }),
      [noUser]: async (world) => ({ args: { repoid: (await world.repo()).id, userid: 'nobody', perm: 'x' } }),
      [noPermission]: async (world) => ({ args: { repoid: (await world.repo()).id, userid: world.ann.name, perm: 'repository.owner' } }),
      'failed to edit permission for user: `{userid}` in repo: `{repoid}`': async (world) => ({
        args: { repoid: (await world.repo()).id, userid: world.ann.name, perm: 'group.write' },
      }),
    },
  },
  revoke_user_permission: {
    repositories: true,
    good: async (world) => {
      const [repo, user] = [await world.repo(), await world.user()]
      return { args: { repoid: repo.id, userid: user.id }, words: { username: user.name, repo_name: repo.name } }
    },
    errors: {
      [noRepo]: hidden({ repoid: 'none', userid: 'nobody' }),
      [noUser]: async (world) => ({ args: { repoid: (await world.repo()).id, userid: 'nobody' } }),
      'failed to edit permission for user: `{userid}` in repo: `{repoid}`': { unprovoked: 'revoking what is found never fails here' },
    },
  },
  grant_user_group_permission: {
    repositories: true,
    good: async (world) => {
      const [repo, group] = [await world.repo(), await world.userGroup()]
      return { args: { repoid: repo.id, usergroupid: group.id, perm: 'repository.admin' }, words: { group_name: group.name, repo_name: repo.name } }
    },
    errors: {
      [noRepo]: async (world) => ({ args: { repoid: (await world.repo()).id, usergroupid: 'none', perm: 'x' }, as: world.ann }),
      [noPermission]: async (world) => ({ args: { repoid: (await world.repo()).id, usergroupid: 'none', perm: 'x' } }),
      [noUserGroup]: async (world) => ({ args: { repoid: (await world.repo()).id, usergroupid: 'none', perm: 'repository.read' } }),
      'failed to edit permission for user group: `{usergroupid}` in repo: `{repo_name}`': async (world) => {
        const { id, name } = await world.repo()
        return { args: { repoid: id, usergroupid: (await world.userGroup()).id, perm: 'usergroup.read' }, words: { repo_name: name } }
      },
    },
  },
  revoke_user_group_permission: {
    repositories: true,
    good: async (world) => {
      const [repo, group] = [await world.repo(), await world.userGroup()]
      return { args: { repoid: repo.id, usergroupid: group.id }, words: { group_name: group.name, repo_name: repo.name } }
    },
    errors: {
      [noRepo]: async (world) => ({ args: { repoid: (await world.repo()).id, usergroupid: 'none' }, as: world.ann }),
      [noUserGroup]: async (world) => ({ args: { repoid: (await world.repo()).id, usergroupid: 'none' } }),
      'failed to edit permission for user group: `{group_name}` in repo: `{repo_name}`': { unprovoked: 'revoking what is found never fails here' },
    },
  },

  get_repo_group: {
    good: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id } }),
    errors: { [noRepoGroup]: hidden({ repogroupid: 'none' }) },
  },
  get_repo_groups: { good: plain({}), errors: {} },
  create_repo_group: {
    good: async (world) => ({ args: { group_name: world.name('inner'), parent: `${(await world.repoGroup()).name}/`, owner: world.ann.name } }),
    errors: {
      'repo group `{group_name}` already exist': async (world) => ({ args: { group_name: (await world.repoGroup()).name } }),
      'repository group `{parent}` does not exist': hidden({ group_name: 'x', parent: 'none' }),
      'failed to create repo group `{group_name}`': async () => ({ args: { group_name: 'a/b' } }),
    },
  },
  update_repo_group: {
    good: async (world) => {
      const { id } = await world.repoGroup()
      const name = world.name('renamed')
      return { args: { repogroupid: id, group_name: name }, words: { group_id: id, group_name: name } }
    },
    errors: {
      [noRepoGroup]: hidden({ repogroupid: 'none' }),
      'repository group `{parent}` does not exist': async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, parent: 'none' } }),
      'failed to update repository group `{repogroupid}`': async (world) => ({
        args: { repogroupid: (await world.repoGroup()).id, group_name: long },
      }),
    },
  },
  delete_repo_group: {
    good: async (world) => {
      const { id, name } = await world.repoGroup()
      return { args: { repogroupid: name }, words: { group_id: id, group_name: name } }
    },
    errors: {
      [noRepoGroup]: hidden({ repogroupid: 'none' }),
      'failed to delete repo group ID:{group_id} {group_name}': async (world) => {
        const { id, name } = await world.repoGroup()
        await world.lab.result(world.root, 'create_repo', { repo_name: `${name}/kept`, repo_type: 'git' })
        return { args: { repogroupid: id }, words: { group_id: id, group_name: name } }
      },
    },
  },
  grant_user_permission_to_repo_group: {
    good: async (world) => {
      const [group, user] = [await world.repoGroup(), await world.user()]
      const args = { repogroupid: group.id, userid: user.id, perm: 'group.write', apply_to_children: 'all' }
      return { args, words: { username: user.name, 'last segment': group.name } }
    },
    errors: {
      [noRepoGroup]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, userid: 'nobody', perm: 'x' }, as: world.ann }),
      [noUser]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, userid: 'nobody', perm: 'x' } }),
      [noPermission]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, userid: world.ann.name, perm: 'x' } }),
      'permission `{perm}` is invalid, should start with group.': async (world) => ({
        args: { repogroupid: (await world.repoGroup()).id, userid: world.ann.name, perm: 'repository.read' },
      }),
      'failed to edit permission for user: `{userid}` in repo group: `{last segment}`': { unprovoked: 'granting what is found never fails here' },
    },
  },
  revoke_user_permission_from_repo_group: {
    good: async (world) => {
      const [group, user] = [await world.repoGroup(), await world.user()]
      const args = { repogroupid: group.id, userid: user.id, apply_to_children: 'odd' }
      return { args, words: { username: user.name, 'last segment': group.name } }
    },
    errors: {
      [noRepoGroup]: hidden({ repogroupid: 'none', userid: 'nobody' }),
      [noUser]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, userid: 'nobody' } }),
      'failed to edit permission for user: `{userid}` in repo group: `{last segment}`': { unprovoked: 'revoking what is found never fails here' },
    },
  },
  grant_user_group_permission_to_repo_group: {
    good: async (world) => {
      const [group, team] = [await world.repoGroup(), await world.userGroup()]
      const args = { repogroupid: group.id, usergroupid: team.id, perm: 'group.read', apply_to_children: 'none' }
      return { args, words: { 'user group name': team.name, 'last segment': group.name } }
    },
    errors: {
      [noRepoGroup]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, usergroupid: 'none', perm: 'x' }, as: world.ann }),
      [noPermission]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, usergroupid: 'none', perm: 'x' } }),
      'permission `{perm}` is invalid, should start with group.': async (world) => ({
        args: { repogroupid: (await world.repoGroup()).id, usergroupid: 'none', perm: 'hg.admin' },
      }),
      [noUserGroup]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, usergroupid: 'none', perm: 'group.read' } }),
      'failed to edit permission for user group: `{usergroupid}` in repo group: `{last segment}`': {
        unprovoked: 'granting what is found never fails here',
      },
    },
  },
  revoke_user_group_permission_from_repo_group: {
    good: async (world) => {
      const [group, team] = [await world.repoGroup(), await world.userGroup()]
      const args = { repogroupid: group.id, usergroupid: team.id, apply_to_children: 'repos' }
      return { args, words: { 'user group name': team.name, 'last segment': group.name } }
    },
    errors: {
      [noRepoGroup]: hidden({ repogroupid: 'none', usergroupid: 'none' }),
      [noUserGroup]: async (world) => ({ args: { repogroupid: (await world.repoGroup()).id, usergroupid: 'none' } }),
      'failed to edit permission for user group: `{user group name}` in repo group: `{last segment}`': {
        unprovoked: 'revoking what is found never fails here',
      },
    },
  },
}

export { notAdmin }
