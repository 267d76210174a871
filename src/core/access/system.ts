import { systemResourceId } from '../kernel/builtin.ts'
import { viewerOf } from '../identity/principal.ts'
import { heldOn } from './held.ts'
import type { Ctx } from '../operation/context.ts'

/** Rights that are about no single thing: granted as extras on `system:system`, to users, groups or everyone. Administrators hold all of them. */
const systemPermissions = {
  'repository.create': 'make repositories at the top level, or in groups that one may write',
  'repository.fork': 'fork repositories that one may read',
  'group.create': 'make groups of users',
  'user.create': 'make users who are no administrators',
  'user.manage': 'change, disable and delete users who are no administrators',
  'workflow.modify': 'make workflows and triggers, and change those that one may write',
  'plugin.modify': 'install and remove plugins',
  'connection.modify': 'make connections, and change those that one may write',
  'namespace.create': 'claim namespaces ahead of a first deploy',
} as const
type SystemPermission = keyof typeof systemPermissions

/** What everyone who is signed in holds at first start; an administrator can take it back. */
const defaultSystemPermissions: readonly SystemPermission[] = ['repository.create', 'repository.fork']

/** Whether the caller holds a system permission. */
async function holdsSystem(ctx: Ctx, permission: string): Promise<boolean> {
  if (ctx.principal.administrator) return true
  const row = await ctx.db.resources.byId(systemResourceId)
  if (!row) return false
  const { extras } = await heldOn(ctx.db, row, viewerOf(ctx.principal))
  return extras.includes(permission)
}

/** The system permissions that the caller holds. */
async function heldSystemPermissions(ctx: Ctx): Promise<string[]> {
  if (ctx.principal.administrator) return Object.keys(systemPermissions)
  const row = await ctx.db.resources.byId(systemResourceId)
  return row ? (await heldOn(ctx.db, row, viewerOf(ctx.principal))).extras : []
}

export type { SystemPermission }
export { systemPermissions, defaultSystemPermissions, holdsSystem, heldSystemPermissions }
