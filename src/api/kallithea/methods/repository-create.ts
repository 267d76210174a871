import { isFault } from '../../../core/kernel/fault.ts'
import { asIs, BadArgument, flag, optional, required, text } from '../argument.ts'
import { internalError, absent, denied, missing, taken } from '../errors.ts'
import { found, ifSeen, locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { lastSegment } from '../../../core/repository/names.ts'
import { parentOf } from '../repository-view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { ErrorRule } from '../errors.ts'
import type { MethodCall } from '../method.ts'

// Where the new repository goes, and whose it shall be: the same for both ways of making one. The order is that of core's checks.
const placeErrors: readonly ErrorRule[] = [
  missing('repository-group', 'repo group `{parent}` not found', 'path'),
  denied('repository-group', 'no permission to create repo in {parent}', 'path'),
  denied('system', 'no permission to create top level repo', 'path'),
  denied('user', 'Only Kallithea admin can specify `owner` param', 'owner'),
  missing('user', 'user `{owner}` does not exist', 'owner'),
]

const createRepo = defineMethod({
  name: 'create_repo',
  args: {
    repo_name: required(text),
    owner: optional(asIs, null),
    repo_type: optional(text, null),
    description: optional(text, ''),
    private: optional(flag, false),
    clone_uri: optional(text, ''),
    landing_rev: optional(text, 'rev:tip'),
    enable_statistics: optional(flag, false),
    enable_downloads: optional(flag, false),
    copy_permissions: optional(flag, false),
  },
  caller: 'anybody',
  operations: ['user.locate', 'repository.list-kinds', 'repository.create'],
  errors: [...placeErrors, taken('repository', 'repo `{repo_name}` already exist')],
  failed: 'failed to create repository `{repo_name}`',
  async run(call, args) {
    const { repo_name: path } = args
    call.know({ parent: parentOf(path) })
    const kinds = await kindsHere(call)
    await call.invoke('repository.create', {
      path,
      ...(await ownerOf(call, args.owner)),
      ...orUnfit(() => ({
        ...shownOf(path, args),
        kind: kindAmong(kinds, args.repo_type),
        ...(args.clone_uri === '' ? {} : { clone_uri: args.clone_uri }),
        statistics: args.enable_statistics,
        downloads: args.enable_downloads,
      })),
    })
    return { msg: call.say('Created new repository `{repo_name}`'), success: true }
  },
})

const forkRepo = defineMethod({
  name: 'fork_repo',
  args: {
    repoid: required(asIs),
    fork_name: required(text),
    owner: optional(asIs, null),
    description: optional(text, ''),
    copy_permissions: optional(flag, false),
    private: optional(flag, false),
    landing_rev: optional(text, 'rev:tip'),
  },
  caller: 'anybody',
  operations: ['session.get', 'repository.get', 'user.locate', 'repository.fork'],
  errors: [
    {
      fits: ({ code, context }) => code === 'name_taken' && context.note === 'fork',
      text: 'fork `{fork_name}` already exist',
    },
    taken('repository', 'repo `{fork_name}` already exist'),
    ...placeErrors,
    absent('repository', 'repository `{repoid}` does not exist'),
  ],
  failed: 'failed to fork repository `{repo_name}` as `{fork_name}`',
  async run(call, args) {
    const { system_permissions } = await call.invoke<{ system_permissions: string[] }>('session.get', {})
    if (!system_permissions.includes('repository.fork')) call.refuse(internalError)
    const read = () => call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    const source = await found(call, 'repository `{repoid}` does not exist', read)
    const { fork_name: path } = args
    call.know({ repo_name: source.path, parent: parentOf(path) })
    await refuseTaken(call, path)
    await call.invoke('repository.fork', { repository: source.id, path, ...(await ownerOf(call, args.owner)), ...orUnfit(() => shownOf(path, args)) })
    return { msg: call.say('Created fork of `{repo_name}` as `{fork_name}`'), success: true }
  },
})

// A name that is taken comes before every question of place here.
async function refuseTaken(call: MethodCall, path: string): Promise<void> {
  const other = await ifSeen(() => call.invoke<RepositoryView>('repository.get', { repository: `repository:${path}` }))
  if (other?.path === path) call.refuse(other.fork_of === null ? 'repo `{fork_name}` already exist' : 'fork `{fork_name}` already exist')
}

async function kindsHere(call: MethodCall): Promise<readonly string[]> {
  return (await call.invoke<{ items: string[] }>('repository.list-kinds', {})).items
}

// Without a type it is theirs, wherever that can be made (contract §15 D15).
function kindAmong(kinds: readonly string[], asked: string | null): string {
  const kind = asked ?? (kinds.includes('hg') ? 'hg' : 'git')
  if (!kinds.includes(kind)) throw new BadArgument()
  return kind
}

type ShownArguments = {
  readonly description: string
  readonly private: boolean
  readonly landing_rev: string
  readonly copy_permissions: boolean
}

function shownOf(path: string, args: ShownArguments) {
  return {
    description: args.description === '' ? lastSegment(path) : args.description,
    private: args.private,
    // A private one begins without a grant for everyone (contract §7).
    ...(args.private ? { everyone: 'none' } : {}),
    landing_revision: args.landing_rev,
    copy_permissions: args.copy_permissions,
  }
}

// A bad value comes after everything that there is to say about the place, the owner and the name (contract §7), which core does: it gets one that it refuses last.
function orUnfit<Members extends object>(members: () => Members): Members | { readonly landing_revision: string } {
  try {
    return members()
  } catch (error) {
    if (error instanceof BadArgument) return { landing_revision: '' }
    throw error
  }
}

async function ownerOf(call: MethodCall, given: Json): Promise<{ readonly owner?: string }> {
  return given === null ? {} : { owner: await ownerReference(call, given) }
}

// Whether the caller may name an owner, and that there is such a user, is for core to say in its turn: what names nobody must get there.
async function ownerReference(call: MethodCall, given: Json): Promise<string> {
  if (!call.administrator) return 'user:_'
  try {
    return `user:${(await locateUser(call, given)).id}`
  } catch (error) {
    if (isFault(error, 'not_found')) return 'user:_'
    throw error
  }
}

export { createRepo, forkRepo }
