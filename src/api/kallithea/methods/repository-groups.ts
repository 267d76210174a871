import { asIs, BadArgument, flag, optional, required, text, unchanged } from '../argument.ts'
import { taken } from '../errors.ts'
import { found, ifSeen, locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { lastSegment } from '../../../core/repository/names.ts'
import { encodeMembers, encodeRepositoryGroup, parentOf } from '../repository-view.ts'
import { groupGrantMethods } from './repository-group-grants.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { Level } from '../../../core/kernel/level.ts'
import type { RepositoryGroupView, RepositoryView } from '../../../core/repository/view.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

const repogroupid = required(asIs)

async function groupAt(call: MethodCall, given: Json, absent = 'repository group `{repogroupid}` does not exist'): Promise<RepositoryGroupView> {
  return found(call, absent, () => call.invoke<RepositoryGroupView>('repository-group.get', { group: referenceOf('repository-group', given) }))
}

async function encoded(call: MethodCall, group: RepositoryGroupView) {
  return encodeRepositoryGroup(group, await call.all<RepositoryView>('repository.list', { group: group.id }))
}

const getRepoGroup = defineMethod({
  name: 'get_repo_group',
  args: { repogroupid },
  caller: 'administrator',
  operations: ['repository-group.get', 'repository.list', 'grant.list'],
  errors: [],
  async run(call, args) {
    const group = await groupAt(call, args.repogroupid)
    const { items } = await call.invoke<{ items: { to: string; level: Level }[] }>('grant.list', { on: `repository-group:${group.id}` })
    return { ...(await encoded(call, group)), members: encodeMembers('group', items) }
  },
})

const getRepoGroups = defineMethod({
  name: 'get_repo_groups',
  args: {},
  caller: 'administrator',
  operations: ['repository-group.list', 'permission.list'],
  errors: [],
  async run(call) {
    const inside = new Map<string, { path: string }[]>()
    for (const { name: path } of await call.all<{ name: string }>('permission.list', { kind: 'repository' })) {
      const group = parentOf(path)
      const others = inside.get(group)
      if (others) others.push({ path })
      else inside.set(group, [{ path }])
    }
    const groups = await call.all<RepositoryGroupView>('repository-group.list')
    return groups.map((group) => encodeRepositoryGroup(group, inside.get(group.path) ?? []))
  },
})

const createRepoGroup = defineMethod({
  name: 'create_repo_group',
  args: {
    group_name: required(text),
    description: optional(text, ''),
    owner: optional(asIs, null),
    parent: optional(asIs, null),
    copy_permissions: optional(flag, false),
  },
  caller: 'administrator',
  operations: ['repository-group.get', 'user.locate', 'repository-group.create', 'repository.list'],
  errors: [{ ...taken('repository-group', 'repo group `{group_name}` already exist'), fits: isTopLevelClash }],
  failed: 'failed to create repo group `{group_name}`',
  async run(call, args) {
    const { group_name: name } = args
    if (args.parent === null) await refuseTaken(call, name)
    const parent = args.parent === null ? '' : (await groupAt(call, args.parent, 'repository group `{parent}` does not exist')).path
    if (name.includes('/')) throw new BadArgument()
    const owner = args.owner === null ? {} : { owner: (await locateUser(call, args.owner)).id }
    const group = await call.invoke<RepositoryGroupView>('repository-group.create', {
      path: parent === '' ? name : `${parent}/${name}`,
      description: args.description === '' ? name : args.description,
      copy_permissions: args.copy_permissions,
      ...owner,
    })
    return { msg: call.say('created new repo group `{group_name}`'), repo_group: await encoded(call, group) }
  },
})

// Before everything else that may be wrong (contract §8).
async function refuseTaken(call: MethodCall, name: string): Promise<void> {
  const other = await ifSeen(() => call.invoke<RepositoryGroupView>('repository-group.get', { group: `repository-group:${name}` }))
  // `_5` names the fifth one to us, whatever that is called.
  if (other?.path === name) call.refuse('repo group `{group_name}` already exist')
}

function isTopLevelClash({ code, context }: { readonly code: string; readonly context: { kind?: string; path?: string } }): boolean {
  return code === 'name_taken' && context.kind === 'repository-group' && parentOf(context.path ?? '') === ''
}

const updateRepoGroup = defineMethod({
  name: 'update_repo_group',
  args: {
    repogroupid,
    group_name: unchanged(text),
    description: unchanged(text),
    owner: unchanged(text),
    parent: unchanged(asIs),
  },
  caller: 'administrator',
  operations: ['repository-group.get', 'repository-group.update', 'repository.list'],
  errors: [],
  failed: 'failed to update repository group `{repogroupid}`',
  async run(call, args) {
    const group = await groupAt(call, args.repogroupid)
    const { parent: given } = args
    const parent = given === undefined ? parentOf(group.path) : (await groupAt(call, given, 'repository group `{parent}` does not exist')).path
    const { description, owner, group_name: name = lastSegment(group.path) } = args
    if (name.includes('/')) throw new BadArgument()
    const path = parent === '' ? name : `${parent}/${name}`
    const updated = await call.invoke<RepositoryGroupView>('repository-group.update', {
      group: group.id,
      ...(path === group.path ? {} : { path }),
      ...(description === undefined ? {} : { description }),
      ...(owner === undefined ? {} : { owner: `user:${owner}` }),
    })
    call.know({ group_id: updated.serial, group_path: updated.path })
    return { msg: call.say('updated repository group ID:{group_id} {group_path}'), repo_group: await encoded(call, updated) }
  },
})

const deleteRepoGroup = defineMethod({
  name: 'delete_repo_group',
  args: { repogroupid },
  caller: 'administrator',
  operations: ['repository-group.get', 'repository-group.delete'],
  errors: [],
  failed: 'failed to delete repo group ID:{group_id} {group_path}',
  async run(call, args) {
    const { id, serial, path } = await groupAt(call, args.repogroupid)
    call.know({ group_id: serial, group_path: path })
    await call.invoke('repository-group.delete', { group: id })
    return { msg: call.say('deleted repo group ID:{group_id} {group_path}'), repo_group: null }
  },
})

/** Contract §8. */
const repositoryGroupMethods: readonly AnyMethod[] = [
  getRepoGroup,
  getRepoGroups,
  createRepoGroup,
  updateRepoGroup,
  deleteRepoGroup,
  ...groupGrantMethods,
]

export { repositoryGroupMethods }
