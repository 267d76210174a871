import { asIs, BadArgument, flag, optional, required, text } from '../argument.ts'
import { encodeRepository, encodeUser } from '../encode.ts'
import { absent } from '../errors.ts'
import { referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { pullRequestReads, wholePullRequest } from '../pull-request-view.ts'
import { encodeMembers } from '../repository-view.ts'
import { createRepo, forkRepo } from './repository-create.ts'
import { repositoryGrantMethods } from './repository-grants.ts'
import { updateRepo } from './repository-update.ts'
import type { PullRequestView } from '../../../core/pull-request/view.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { UserView } from '../encode.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

const absentRepository = absent('repository', 'repository `{repoid}` does not exist')

type Members = { items: { to: string; level: 'none' | 'read' | 'execute' | 'write' | 'admin' }[] }
type Ref = { readonly name: string; readonly commit: string }

const getRepo = defineMethod({
  name: 'get_repo',
  args: { repoid: required(asIs), with_revision_names: optional(flag, false), with_pullrequests: optional(flag, false) },
  caller: 'anybody',
  operations: [
    'repository.get',
    'repository.list-members',
    'repository.list-followers',
    'repository.list-branches',
    'repository.list-tags',
    'repository.list-bookmarks',
    'pull-request.list',
    ...pullRequestReads.filter((operation) => operation !== 'repository.get'),
  ],
  errors: [absentRepository],
  async run(call, args) {
    const repository = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    const on = { repository: repository.id }
    const [members, followers] = await Promise.all([
      call.invoke<Members>('repository.list-members', on),
      call.invoke<{ items: UserView[] }>('repository.list-followers', on),
    ])
    return {
      ...encodeRepository(repository),
      members: encodeMembers('repository', members.items, repository),
      followers: followers.items.map(encodeUser),
      ...(args.with_revision_names ? await revisionNames(call, repository) : {}),
      ...(args.with_pullrequests ? { pull_requests: await pullRequestsInto(call, repository) } : {}),
    }
  },
})

async function pullRequestsInto(call: MethodCall, { id }: RepositoryView) {
  const whole = []
  for (const one of await call.all<PullRequestView>('pull-request.list', { repository: id })) whole.push(await wholePullRequest(call, one))
  return whole.reverse()
}

async function revisionNames(call: MethodCall, { id, kind, last_commit }: RepositoryView) {
  const on = { repository: id }
  const names = (refs: readonly Ref[]) => Object.fromEntries(refs.map(({ name, commit }) => [name, commit]))
  const branches = await call.all<Ref>('repository.list-branches', on)
  const tags = await call.all<Ref>('repository.list-tags', on)
  if (kind === 'git') return { tags: names(tags), branches: names(branches), bookmarks: {} }
  const bookmarks = await call.all<Ref>('repository.list-bookmarks', on)
  // Mercurial counts its newest changeset among the tags.
  const tip = last_commit === null ? {} : { tip: last_commit.id }
  return { tags: { ...names(tags), ...tip }, branches: names(branches), bookmarks: names(bookmarks) }
}

const getRepos = defineMethod({
  name: 'get_repos',
  args: {},
  caller: 'anybody',
  operations: ['repository.list'],
  errors: [],
  run: async (call) => (await call.all<RepositoryView>('repository.list')).map(encodeRepository),
})

const nodeTypes = ['all', 'dirs', 'files'] as const
type Tree = { readonly folders: readonly string[]; readonly files: readonly string[] }

const getRepoNodes = defineMethod({
  name: 'get_repo_nodes',
  args: { repoid: required(asIs), revision: required(asIs), root_path: required(text), ret_type: optional(asIs, 'all') },
  caller: 'anybody',
  operations: ['repository.get', 'repository.list-tree'],
  errors: [absentRepository],
  failed: 'failed to get repo: `{repo_name}` nodes',
  async run(call, args) {
    const { id, path } = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    call.know({ repo_name: path })
    const wanted = nodeTypes.find((type) => type === args.ret_type)
    if (wanted === undefined) call.refuse(`ret_type must be one of ${nodeTypes.join(',')}`)
    const { revision } = args
    if (typeof revision !== 'string' && typeof revision !== 'number') throw new BadArgument()
    const below = { repository: id, revision: String(revision), path: args.root_path }
    const { folders, files } = await call.invoke<Tree>('repository.list-tree', below)
    const nodes = (paths: readonly string[], type: 'dir' | 'file') => paths.map((name) => ({ name, type }))
    return [...(wanted === 'files' ? [] : nodes(folders, 'dir')), ...(wanted === 'dirs' ? [] : nodes(files, 'file'))]
  },
})

const deleteRepo = defineMethod({
  name: 'delete_repo',
  args: { repoid: required(asIs), forks: optional(asIs, '') },
  caller: 'anybody',
  operations: ['repository.get', 'repository.delete'],
  errors: [
    { fits: ({ code, context }) => code === 'forbidden' && context.note === 'forks', text: 'failed to delete repository `{repo_name}`' },
    absentRepository,
    {
      fits: ({ code, context }) => code === 'in_use' && context.note === 'forks',
      text: 'Cannot delete `{repo_name}` it still contains attached forks',
    },
  ],
  failed: 'failed to delete repository `{repo_name}`',
  async run(call, args) {
    const { id, path } = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    call.know({ repo_name: path })
    const forks = args.forks === 'detach' || args.forks === 'delete' ? args.forks : 'refuse'
    const { forks: count } = await call.invoke<{ forks: number }>('repository.delete', { repository: id, forks })
    const more = forks === 'refuse' ? '' : ` ${forks === 'detach' ? 'Detached' : 'Deleted'} ${count} forks`
    return { msg: call.say('Deleted repository `{repo_name}`') + more, success: true }
  },
})

/** Contract §7. */
const repositoryMethods: readonly AnyMethod[] = [
  getRepo,
  getRepos,
  getRepoNodes,
  createRepo,
  updateRepo,
  forkRepo,
  deleteRepo,
  ...repositoryGrantMethods,
]

export { repositoryMethods }
