import { asIs, required } from '../argument.ts'
import { absent, missing } from '../errors.ts'
import { levelFor, subjectOf } from '../grants.ts'
import { found, locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { administered } from './repository-update.ts'
import type { GroupView } from '../../../core/identity/group-view.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { AnyMethod, MethodCall } from '../method.ts'
import type { Json } from '../../../core/kernel/json.ts'

const repoid = required(asIs)
const userid = required(asIs)
const perm = required(asIs)
const usergroupid = required(asIs, { alias: 'usersgroupid' })

const absentRepository = absent('repository', 'repository `{repoid}` does not exist')
const absentUser = missing('user', 'user `{userid}` does not exist')

async function repositoryAndUser(call: MethodCall, args: { readonly repoid: Json; readonly userid: Json }) {
  const repository = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
  const user = await locateUser(call, args.userid)
  call.know({ repo_name: repository.path, username: user.name })
  return { on: `repository:${repository.id}`, to: subjectOf(user) }
}

async function groupOf(call: MethodCall, given: Json): Promise<GroupView> {
  const read = () => call.invoke<GroupView>('group.get', { group: referenceOf('group', given) })
  return found(call, 'user group `{usergroupid}` does not exist', read)
}

const grantUser = defineMethod({
  name: 'grant_user_permission',
  args: { repoid, userid, perm },
  caller: 'administrator',
  operations: ['repository.get', 'user.locate', 'grant.set'],
  errors: [absentRepository, absentUser],
  failed: 'failed to edit permission for user: `{userid}` in repo: `{repoid}`',
  async run(call, args) {
    const grant = await repositoryAndUser(call, args)
    await call.invoke('grant.set', { ...grant, level: levelFor(call, 'repository', args.perm) })
    return { msg: call.say('Granted perm: `{perm}` for user: `{username}` in repo: `{repo_name}`'), success: true }
  },
})

const revokeUser = defineMethod({
  name: 'revoke_user_permission',
  args: { repoid, userid },
  caller: 'administrator',
  operations: ['repository.get', 'user.locate', 'grant.delete'],
  errors: [absentRepository, absentUser],
  failed: 'failed to edit permission for user: `{userid}` in repo: `{repoid}`',
  async run(call, args) {
    await call.invoke('grant.delete', await repositoryAndUser(call, args))
    return { msg: call.say('Revoked perm for user: `{username}` in repo: `{repo_name}`'), success: true }
  },
})

const grantGroup = defineMethod({
  name: 'grant_user_group_permission',
  args: { repoid, usergroupid, perm },
  caller: 'anybody',
  operations: ['repository.get', 'permission.get', 'group.get', 'grant.set'],
  errors: [absentRepository],
  failed: 'failed to edit permission for user group: `{usergroupid}` in repo: `{repo_name}`',
  async run(call, args) {
    const { id, path } = await administered(call, args.repoid)
    call.know({ repo_name: path })
    // A name of another kind of thing is known, and refused after the group was found.
    const level = known(call, args.perm)
    const group = await groupOf(call, args.usergroupid)
    call.know({ group_name: group.name })
    await call.invoke('grant.set', { on: `repository:${id}`, to: `group:${group.id}`, level: level ?? levelFor(call, 'repository', args.perm) })
    return { msg: call.say('Granted perm: `{perm}` for user group: `{group_name}` in repo: `{repo_name}`'), success: true }
  },
})

const revokeGroup = defineMethod({
  name: 'revoke_user_group_permission',
  args: { repoid, usergroupid },
  caller: 'anybody',
  operations: ['repository.get', 'permission.get', 'group.get', 'grant.delete'],
  errors: [absentRepository],
  failed: 'failed to edit permission for user group: `{group_name}` in repo: `{repo_name}`',
  async run(call, args) {
    const { id, path } = await administered(call, args.repoid)
    const group = await groupOf(call, args.usergroupid)
    call.know({ repo_name: path, group_name: group.name })
    await call.invoke('grant.delete', { on: `repository:${id}`, to: `group:${group.id}` })
    return { msg: call.say('Revoked perm for user group: `{group_name}` in repo: `{repo_name}`'), success: true }
  },
})

function known(call: MethodCall, given: Json): string | null {
  return typeof given === 'string' && /^(?:group|usergroup|hg)\./.test(given) ? null : levelFor(call, 'repository', given)
}

const repositoryGrantMethods: readonly AnyMethod[] = [grantUser, revokeUser, grantGroup, revokeGroup]

export { repositoryGrantMethods }
