import { fault } from '../../core/kernel/fault.ts'
import { bad, optionalFlag, optionalText, requiredText, serial } from './decode.ts'
import { encodeRole, encodeUser } from './encode-user.ts'
import { listed } from './pages.ts'
import type { JsonObject } from '../../core/kernel/json.ts'
import type { Doing, Route } from './route.ts'
import type { RoleView, UserView } from './encode-user.ts'

const base = '/v2/users/:user_id'
const roleNames = ['administrator', 'analyst'] as const
type RoleName = (typeof roleNames)[number]

/** Users and roles (contract §8): the same users as everywhere. */
const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v2/users',
    operations: ['role.list-users'],
    does: (doing) => listed<UserView>(doing, { member: 'users', operation: 'role.list-users', encode: encodeUser, atOnce: 200 }),
  },
  {
    method: 'POST',
    path: '/v2/users',
    permission: 'USER_CREATE',
    body: 'object',
    operations: ['user.create', 'role.list-users'],
    does: create,
  },
  { method: 'GET', path: base, operations: ['role.list-users'], does: async (doing) => encodeUser(await userOf(doing)) },
  {
    method: 'PUT',
    path: base,
    permission: 'USER_MANAGER',
    body: 'object',
    operations: ['user.update', 'role.list-users'],
    does: update,
  },
  {
    method: 'DELETE',
    path: base,
    permission: 'USER_MANAGER',
    operations: ['user.delete', 'role.list-users'],
    async does(doing) {
      await doing.invoke('user.delete', { user: (await userOf(doing)).id })
      return { message: 'user deleted' }
    },
  },
  {
    method: 'GET',
    path: '/v2/roles',
    operations: ['role.list'],
    async does({ invoke }) {
      return { roles: (await invoke<{ items: RoleView[] }>('role.list', {})).items.map(encodeRole) }
    },
  },
]

async function userOf({ invoke, parameters }: Doing): Promise<UserView> {
  const number = serial(parameters.user_id, 'user')
  const [user] = (await invoke<{ items: UserView[] }>('role.list-users', { serial: number })).items
  if (!user) throw fault('not_found', { kind: 'user', reference: String(number) }, { private: { absence: 'missing', kind: 'user' } })
  return user
}

async function create(doing: Doing): Promise<unknown> {
  const { body, invoke } = doing
  const role = roleIn(body)
  const made = await invoke<{ serial: number }>('user.create', {
    name: requiredText(body, 'user_name'),
    password: requiredText(body, 'user_secret'),
    ...namesIn(body),
    ...activeIn(body),
    // That a user has none needs no permission.
    ...(role && { role }),
  })
  return encodeUser(await userOf({ ...doing, parameters: { user_id: String(made.serial) } }))
}

async function update(doing: Doing): Promise<unknown> {
  const { body, invoke } = doing
  const { id } = await userOf(doing)
  const role = roleIn(body)
  const [name, password] = [optionalText(body, 'user_name'), optionalText(body, 'user_secret')]
  const changes = {
    ...(name !== undefined && { name }),
    ...(password !== undefined && { password }),
    ...(role !== undefined && { role }),
    ...activeIn(body),
    ...namesIn(body),
  }
  if (Object.keys(changes).length > 0) await invoke('user.update', { user: id, ...changes })
  return encodeUser(await userOf(doing))
}

function namesIn(body: JsonObject) {
  const [first, last, email] = [optionalText(body, 'first_name'), optionalText(body, 'last_name'), optionalText(body, 'email')]
  const title = optionalText(body, 'company_title')
  return {
    ...(first !== undefined && { first_name: first }),
    ...(last !== undefined && { last_name: last }),
    ...(title !== undefined && { company_title: title }),
    ...(email !== undefined && { email: email === '' ? null : email }),
  }
}

function activeIn(body: JsonObject) {
  const inactive = optionalFlag(body, 'inactive')
  return inactive === undefined ? {} : { active: !inactive }
}

/** The role that a body names; null for none. */
function roleIn(body: JsonObject): RoleName | null | undefined {
  const text = optionalText(body, 'role_name')
  if (text === undefined) return undefined
  if (text === '') return null
  const role = roleNames.find((one) => one === text)
  if (role === undefined) throw bad(`"role_name" is none of ${roleNames.join(', ')}`)
  return role
}

export { userRoutes }
