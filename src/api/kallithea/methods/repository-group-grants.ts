import { asIs, optional, required } from '../argument.ts'
import { missing } from '../errors.ts'
import { levelFor, subjectOf } from '../grants.ts'
import { found, locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { lastSegment } from '../../../core/repository/names.ts'
import type { GroupView } from '../../../core/identity/group-view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { RepositoryGroupView } from '../../../core/repository/view.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

const repogroupid = required(asIs)
const userid = required(asIs)
const perm = required(asIs)
const usergroupid = required(asIs, { alias: 'usersgroupid' })
const apply_to_children = optional(asIs, 'none')

const absentText = 'repository group `{repogroupid}` does not exist'
const absentUser = missing('user', 'user `{userid}` does not exist')
const below: Readonly<Record<string, string>> = { repos: 'repositories', groups: 'groups', all: 'both' }

/** Where the grant is: the group, for who administers it, and how far below. */
async function place(call: MethodCall, given: Json): Promise<{ readonly on: string; readonly below?: string }> {
  const { id, path } = await found(call, absentText, async () => {
    const reference = referenceOf('repository-group', given)
    const { level } = await call.invoke<{ level: string }>('permission.get', { on: reference })
    if (level !== 'admin') call.refuse(absentText)
    return call.invoke<RepositoryGroupView>('repository-group.get', { group: reference })
  })
  const asked = call.given.apply_to_children
  // A null that is sent does nothing, and is shown (contract §2.2). So is a word that means nothing.
  call.know({ repo_group: lastSegment(path), apply_to_children: asked === undefined ? 'none' : asked })
  const deep = typeof asked === 'string' && Object.hasOwn(below, asked) ? below[asked] : undefined
  return { on: `repository-group:${id}`, ...(deep !== undefined && { below: deep }) }
}

async function user(call: MethodCall, given: Json): Promise<string> {
  const located = await locateUser(call, given)
  call.know({ username: located.name })
  return subjectOf(located)
}

async function group(call: MethodCall, given: Json): Promise<string> {
  const read = () => call.invoke<GroupView>('group.get', { group: referenceOf('group', given) })
  const { id, name } = await found(call, 'user group `{usergroupid}` does not exist', read)
  call.know({ group_name: name })
  return `group:${id}`
}

const reading = ['permission.get', 'repository-group.get'] as const

const grantUser = defineMethod({
  name: 'grant_user_permission_to_repo_group',
  args: { repogroupid, userid, perm, apply_to_children },
  caller: 'anybody',
  operations: [...reading, 'user.locate', 'grant.set'],
  errors: [absentUser],
  failed: 'failed to edit permission for user: `{userid}` in repo group: `{repo_group}`',
  async run(call, args) {
    const where = await place(call, args.repogroupid)
    const to = await user(call, args.userid)
    await call.invoke('grant.set', { ...where, to, level: levelFor(call, 'group', args.perm) })
    const msg = 'Granted perm: `{perm}` (recursive:{apply_to_children}) for user: `{username}` in repo group: `{repo_group}`'
    return { msg: call.say(msg), success: true }
  },
})

const revokeUser = defineMethod({
  name: 'revoke_user_permission_from_repo_group',
  args: { repogroupid, userid, apply_to_children },
  caller: 'anybody',
  operations: [...reading, 'user.locate', 'grant.delete'],
  errors: [absentUser],
  failed: 'failed to edit permission for user: `{userid}` in repo group: `{repo_group}`',
  async run(call, args) {
    const where = await place(call, args.repogroupid)
    await call.invoke('grant.delete', { ...where, to: await user(call, args.userid) })
    return { msg: call.say('Revoked perm (recursive:{apply_to_children}) for user: `{username}` in repo group: `{repo_group}`'), success: true }
  },
})

const grantGroup = defineMethod({
  name: 'grant_user_group_permission_to_repo_group',
  args: { repogroupid, usergroupid, perm, apply_to_children },
  caller: 'anybody',
  operations: [...reading, 'group.get', 'grant.set'],
  errors: [],
  failed: 'failed to edit permission for user group: `{usergroupid}` in repo group: `{repo_group}`',
  async run(call, args) {
    const where = await place(call, args.repogroupid)
    const level = levelFor(call, 'group', args.perm)
    await call.invoke('grant.set', { ...where, to: await group(call, args.usergroupid), level })
    const msg = 'Granted perm: `{perm}` (recursive:{apply_to_children}) for user group: `{group_name}` in repo group: `{repo_group}`'
    return { msg: call.say(msg), success: true }
  },
})

const revokeGroup = defineMethod({
  name: 'revoke_user_group_permission_from_repo_group',
  args: { repogroupid, usergroupid, apply_to_children },
  caller: 'anybody',
  operations: [...reading, 'group.get', 'grant.delete'],
  errors: [],
  failed: 'failed to edit permission for user group: `{group_name}` in repo group: `{repo_group}`',
  async run(call, args) {
    const where = await place(call, args.repogroupid)
    await call.invoke('grant.delete', { ...where, to: await group(call, args.usergroupid) })
    const msg = 'Revoked perm (recursive:{apply_to_children}) for user group: `{group_name}` in repo group: `{repo_group}`'
    return { msg: call.say(msg), success: true }
  },
})

const groupGrantMethods: readonly AnyMethod[] = [grantUser, revokeUser, grantGroup, revokeGroup]

export { groupGrantMethods }
