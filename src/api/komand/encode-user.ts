import { createHash } from 'node:crypto'
import { permissionsOf } from './permissions.ts'

type UserView = {
  readonly id: string
  readonly serial: number
  readonly name: string
  readonly email: string | null
  readonly first_name: string
  readonly last_name: string
  readonly company_title: string
  readonly administrator: boolean
  readonly active: boolean
  readonly role: 'administrator' | 'analyst' | null
  readonly system_permissions: readonly string[]
}

const descriptions: Readonly<Record<string, string>> = { administrator: 'Administrator', analyst: 'Analyst' }

/** A user (contract §8). Whoever has none of the two roles has one without a name, with what the user holds. */
function encodeUser(user: UserView) {
  const role = user.role ?? ''
  return {
    user_id: user.serial,
    user_name: user.name,
    inactive: !user.active,
    first_name: user.first_name,
    last_name: user.last_name,
    company_title: user.company_title,
    avatar_url: `https://www.gravatar.com/avatar/${createHash('md5')
      .update((user.email ?? '').toLowerCase())
      .digest('hex')}?d=mm`,
    email: user.email ?? '',
    role_name: role,
    role: encodeRole({ name: role, description: descriptions[role] ?? '', system_permissions: user.system_permissions }),
  }
}

type RoleView = { readonly name: string; readonly description: string; readonly system_permissions: readonly string[] }

function encodeRole({ name, description, system_permissions }: RoleView) {
  return { name, description, permissions: permissionsOf(system_permissions, name === 'administrator') }
}

export type { UserView, RoleView }
export { encodeUser, encodeRole }
