import { asIs, BadArgument, flag, required, text, unchanged } from '../argument.ts'
import { encodeRepository } from '../encode.ts'
import { absent, denied } from '../errors.ts'
import { found, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { lastSegment } from '../../../core/repository/names.ts'
import { parentOf } from '../repository-view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { RepositoryGroupView, RepositoryView } from '../../../core/repository/view.ts'
import type { MethodCall } from '../method.ts'

const absentText = 'repository `{repoid}` does not exist'

const mayNotMove = 'no permission to create (or move) repo in {group_path}'

const updateRepo = defineMethod({
  name: 'update_repo',
  args: {
    repoid: required(asIs),
    name: unchanged(text),
    owner: unchanged(text),
    group: unchanged(asIs),
    description: unchanged(text),
    private: unchanged(flag),
    clone_uri: unchanged(text),
    landing_rev: unchanged(text),
    enable_statistics: unchanged(flag),
    enable_downloads: unchanged(flag),
  },
  caller: 'anybody',
  operations: ['repository.get', 'permission.get', 'session.get', 'repository-group.get', 'repository.update'],
  errors: [
    absent('repository', absentText, 'repository'),
    denied('system', 'no permission to create (or move) top level repositories', 'path'),
    denied('repository-group', mayNotMove, 'path'),
  ],
  failed: 'failed to update repo `{repoid}`',
  async run(call, args) {
    const repository = await administered(call, args.repoid)
    await mayStayAtTop(call, repository.path)
    // An owner is named by administrators only, and that comes before the group.
    if (!call.administrator && isGiven(call, 'owner')) call.refuse('Only Kallithea admin can specify `owner` param')
    const parent = args.group === undefined ? parentOf(repository.path) : await groupPath(call, parentOf(repository.path))
    const { name = lastSegment(repository.path), owner } = args
    if (name.includes('/')) throw new BadArgument()
    const path = parent === '' ? name : `${parent}/${name}`
    const changes = {
      path: path === repository.path ? undefined : path,
      owner: owner === undefined ? undefined : `user:${owner}`,
      description: args.description,
      private: args.private,
      everyone: args.private === true ? 'none' : undefined,
      clone_uri: args.clone_uri,
      landing_revision: args.landing_rev,
      statistics: args.enable_statistics,
      downloads: args.enable_downloads,
    }
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    const updated = await call.invoke<RepositoryView>('repository.update', { repository: repository.id, ...given })
    call.know({ repo_id: updated.serial, repo_name: updated.path })
    return { msg: call.say('updated repo ID:{repo_id} {repo_name}'), repository: encodeRepository(updated) }
  },
})

/** The repository, for who administers it; to everybody else it does not exist. */
async function administered(call: MethodCall, given: Json): Promise<RepositoryView> {
  return found(call, absentText, async () => {
    const reference = referenceOf('repository', given)
    const { level } = await call.invoke<{ level: string }>('permission.get', { on: reference })
    if (level !== 'admin') call.refuse(absentText)
    return call.invoke<RepositoryView>('repository.get', { repository: reference })
  })
}

// Contract §7: whoever may not make repositories at the top level may not change one there either, unless its name is sent along.
async function mayStayAtTop(call: MethodCall, path: string): Promise<void> {
  if (call.administrator || parentOf(path) !== '' || call.given.name === path) return
  const { system_permissions } = await call.invoke<{ system_permissions: string[] }>('session.get', {})
  if (!system_permissions.includes('repository.create')) call.refuse('no permission to create (or move) top level repositories')
}

async function groupPath(call: MethodCall, now: string): Promise<string> {
  const read = () => call.invoke<RepositoryGroupView>('repository-group.get', { group: referenceOf('repository-group', call.given.group ?? null) })
  const { id, path } = await found(call, 'repository group `{group}` does not exist', read)
  call.know({ group_path: path })
  // Core asks the same, and after it has seen the values of all other arguments.
  const { level } = await call.invoke<{ level: string }>('permission.get', { on: `repository-group:${id}` })
  if (path !== now && !['write', 'admin'].includes(level)) call.refuse(mayNotMove)
  return path
}

function isGiven(call: MethodCall, name: string): boolean {
  return call.given[name] !== undefined && call.given[name] !== null
}

export { updateRepo, administered }
