import { globalNames, kinds, permissionName } from './permission-names.ts'
import type { Level } from '../../core/kernel/level.ts'
import type { MethodCall } from './method.ts'
import type { Prefix } from './permission-names.ts'

type Held = { readonly name: string; readonly level: Level }

/** Whose permissions: the caller's own, or for administrators another user's. */
type Of = { readonly id: string; readonly administrator: boolean } | null

/** The effective permissions that `get_user` shows (contract §5 and §11.4): one query for each kind of thing. */
async function permissionsOf(call: MethodCall, of: Of) {
  const user = of === null ? {} : { user: of.id }
  const administrator = of === null ? call.administrator : of.administrator
  const on = async (prefix: Prefix) => {
    const held = await call.all<Held>('permission.list', { kind: kinds[prefix], ...user })
    return Object.fromEntries(held.map(({ name, level }) => [name, permissionName(prefix, level)]))
  }
  const [repositories, repositoriesGroups, userGroups] = await Promise.all([on('repository'), on('group'), on('usergroup')])
  return {
    global: administrator ? ['hg.admin'] : globalNames(await systemPermissions(call, of), call.host.settings.registration),
    repositories,
    repositories_groups: repositoriesGroups,
    user_groups: userGroups,
  }
}

async function systemPermissions(call: MethodCall, of: Of): Promise<string[]> {
  if (of === null) return (await call.invoke<{ system_permissions: string[] }>('session.get', {})).system_permissions
  return (await call.invoke<{ extras: string[] }>('permission.get', { on: 'system:system', user: of.id })).extras
}

export { permissionsOf }
