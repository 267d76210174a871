import { fault } from '../../core/kernel/fault.ts'
import type { Permission } from './route.ts'

/** What each permission of the contract (§3.4) is in core. `APP` is being signed in; keys of a product are nothing that is here, so only administrators. */
const system: Readonly<Record<Exclude<Permission, 'APP' | 'PRODUCT_KEY_VIEW'>, string>> = {
  PLUGIN_MODIFY: 'plugin.modify',
  WORKFLOW_MODIFY: 'workflow.modify',
  CONNECTION_MODIFY: 'connection.modify',
  USER_CREATE: 'user.create',
  USER_MANAGER: 'user.manage',
}

/** The permissions of somebody who holds these system permissions, in the contract's order. */
function permissionsOf(held: readonly string[], administrator: boolean): Permission[] {
  const own: Permission[] = (['PLUGIN_MODIFY', 'WORKFLOW_MODIFY', 'CONNECTION_MODIFY', 'USER_CREATE', 'USER_MANAGER'] as const).filter((name) =>
    held.includes(system[name]),
  )
  return [...own, 'APP', ...(administrator ? (['PRODUCT_KEY_VIEW'] as const) : [])]
}

/** Refuses a caller who lacks a permission, before anything else of the request is looked at (contract §20). */
function requirePermission(permission: keyof typeof system, held: readonly string[], operation: string): void {
  if (held.includes(system[permission])) return
  throw fault('forbidden', { operation, need: `the system permission ${system[permission]}`, subject: 'this server' })
}

export { permissionsOf, requirePermission }
