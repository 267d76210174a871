import { isFault } from '../../../core/kernel/fault.ts'
import { asIs, flag, optional, required, text, unchanged } from '../argument.ts'
import { encodeUser } from '../encode.ts'
import { absent, internalError, missing, taken } from '../errors.ts'
import { ifSeen, locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import type { GroupView } from '../../../core/identity/group-view.ts'
import type { Fault } from '../../../core/kernel/fault.ts'
import type { UserView } from '../encode.ts'
import type { AnyMethod, MethodCall } from '../method.ts'
import type { Json } from '../../../core/kernel/json.ts'

const usergroupid = required(asIs, { alias: 'usersgroupid' })
const absentGroup = absent('group', 'user group `{usergroupid}` does not exist')

/** A user group (contract §3.2). */
function encodeGroup(it: GroupView, members: readonly UserView[]) {
  return {
    users_group_id: it.serial,
    group_name: it.name,
    group_description: it.description,
    active: it.active,
    owner: it.owner,
    members: members.map(encodeUser),
  }
}

async function withMembers(call: MethodCall, group: GroupView) {
  const { items } = await call.invoke<{ items: UserView[] }>('group.list-members', { group: group.id })
  return encodeGroup(group, items)
}

function groupAt(call: MethodCall, given: Json): Promise<GroupView> {
  return call.invoke<GroupView>('group.get', { group: referenceOf('group', given) })
}

const getUserGroup = defineMethod({
  name: 'get_user_group',
  args: { usergroupid },
  caller: 'anybody',
  operations: ['group.get', 'group.list-members'],
  errors: [absentGroup],
  run: async (call, args) => withMembers(call, await groupAt(call, args.usergroupid)),
})

const getUserGroups = defineMethod({
  name: 'get_user_groups',
  args: {},
  caller: 'anybody',
  operations: ['group.list-with-members'],
  errors: [],
  async run(call) {
    const groups = await call.all<GroupView & { members: UserView[] }>('group.list-with-members')
    return groups.map((group) => encodeGroup(group, group.members))
  },
})

const createUserGroup = defineMethod({
  name: 'create_user_group',
  args: { group_name: required(text), description: optional(text, ''), owner: optional(asIs, null), active: optional(flag, true) },
  caller: 'anybody',
  operations: ['session.get', 'group.get', 'user.locate', 'group.create', 'group.list-members'],
  errors: [taken('group', 'user group `{group_name}` already exist'), missing('user', 'user `{owner}` does not exist')],
  failed: 'failed to create group `{group_name}`',
  async run(call, args) {
    const { system_permissions } = await call.invoke<{ system_permissions: string[] }>('session.get', {})
    if (!system_permissions.includes('group.create')) call.refuse(internalError)
    await refuseTaken(call, args.group_name)
    const named = args.owner === null ? call.caller.principal.id : (await locateUser(call, args.owner)).id
    // A null that is sent is kept, unlike one that is left out (contract §15 D4).
    const description = call.given.description === null ? null : args.description
    const owner = named === call.caller.principal.id ? {} : { owner: named }
    const group = await call.invoke<GroupView>('group.create', { name: args.group_name, description, active: args.active, ...owner })
    return { msg: call.say('created new user group `{group_name}`'), user_group: await withMembers(call, group) }
  },
})

// Before everything else that may be wrong (contract §6).
async function refuseTaken(call: MethodCall, name: string): Promise<void> {
  const other = await ifSeen(() => call.invoke<GroupView>('group.get', { group: `group:${name}` }))
  // `_5` names the fifth one to us, whatever that is called.
  if (other?.name === name) call.refuse('user group `{group_name}` already exist')
}

const updateUserGroup = defineMethod({
  name: 'update_user_group',
  args: {
    usergroupid,
    group_name: unchanged(text),
    description: unchanged(text),
    owner: unchanged(asIs),
    active: unchanged(flag),
  },
  caller: 'anybody',
  operations: ['permission.get', 'user.locate', 'group.update', 'group.list-members'],
  errors: [absentGroup, missing('user', 'user `{owner}` does not exist')],
  failed: 'failed to update user group `{usergroupid}`',
  async run(call, args) {
    const group = referenceOf('group', args.usergroupid)
    const { level } = await call.invoke<{ level: string }>('permission.get', { on: group })
    if (level !== 'admin') call.refuse('user group `{usergroupid}` does not exist')
    const { owner: named } = args
    const owner = named === undefined ? undefined : (await locateUser(call, named)).id
    const changes = { name: args.group_name, description: args.description, active: args.active, owner }
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    const updated = await call.invoke<GroupView>('group.update', { group, ...given })
    call.know({ users_group_id: updated.serial, group_name: updated.name })
    return { msg: call.say('updated user group ID:{users_group_id} {group_name}'), user_group: await withMembers(call, updated) }
  },
})

const deleteUserGroup = defineMethod({
  name: 'delete_user_group',
  args: { usergroupid },
  caller: 'anybody',
  operations: ['group.get', 'group.delete'],
  errors: [
    absentGroup,
    {
      fits: (fault) => fault.code === 'in_use' && repositoriesIn(fault).length > 0,
      text: (fault) => `User Group assigned to ${repositoriesIn(fault).join(', ')}`,
    },
  ],
  failed: 'failed to delete user group ID:{users_group_id} {group_name}',
  async run(call, args) {
    const { serial, name, id } = await groupAt(call, args.usergroupid)
    call.know({ users_group_id: serial, group_name: name })
    await call.invoke('group.delete', { group: id }).catch((error: unknown) => {
      // Only what it holds on repositories keeps it (contract §6); of what is hidden nobody can say what it is on.
      if (!isFault(error, 'in_use') || !holdsNoRepository(error)) throw error
      return call.invoke('group.delete', { group: id, force: true })
    })
    return { msg: call.say('deleted user group ID:{users_group_id} {group_name}'), user_group: null }
  },
})

// Which repositories it holds grants on, as far as the caller may know them.
function repositoriesIn(fault: Fault): string[] {
  const prefix = 'repository:'
  return resourcesIn(fault)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
}

function holdsNoRepository(fault: Fault): boolean {
  return repositoriesIn(fault).length === 0 && resourcesIn(fault).length === fault.details?.count
}

function resourcesIn({ details }: Fault): string[] {
  return Array.isArray(details?.resources) ? details.resources.filter((name): name is string => typeof name === 'string') : []
}

/** The two methods that change who is in a group differ in words only. */
function membership(name: string, operation: string, words: { readonly done: string; readonly before: string; readonly failed: string }): AnyMethod {
  return defineMethod({
    name,
    args: { usergroupid, userid: required(asIs) },
    caller: 'anybody',
    operations: ['user.locate', 'group.get', operation],
    errors: [missing('user', 'user `{userid}` does not exist'), absentGroup],
    failed: words.failed,
    async run(call, args) {
      const user = await locateUser(call, args.userid)
      const group = await groupAt(call, args.usergroupid)
      call.know({ username: user.name, group_name: group.name })
      const { changed } = await call.invoke<{ changed: boolean }>(operation, { group: group.id, user: user.id })
      return { success: changed, msg: changed ? call.say(words.done) : words.before }
    },
  })
}

const addUser = membership('add_user_to_user_group', 'group.add-member', {
  done: 'added member `{username}` to user group `{group_name}`',
  before: 'User is already in that group',
  failed: 'failed to add member to user group `{group_name}`',
})

const removeUser = membership('remove_user_from_user_group', 'group.remove-member', {
  done: 'removed member `{username}` from user group `{group_name}`',
  before: "User wasn't in group",
  failed: 'failed to remove member from user group `{group_name}`',
})

/** Contract §6. */
const userGroupMethods: readonly AnyMethod[] = [getUserGroup, getUserGroups, createUserGroup, updateUserGroup, deleteUserGroup, addUser, removeUser]

export { userGroupMethods }
