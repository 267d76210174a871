import { asIs, BadArgument, flag, optional, required, text, unchanged } from '../argument.ts'
import { encodeUser } from '../encode.ts'
import { absent, missing, taken } from '../errors.ts'
import { locateUser } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { permissionsOf } from '../permissions.ts'
import type { UserView } from '../encode.ts'
import type { AnyMethod } from '../method.ts'

const absentUser = absent('user', 'user `{userid}` does not exist')

const getUser = defineMethod({
  name: 'get_user',
  args: { userid: optional(asIs, null) },
  caller: 'anybody',
  operations: ['user.locate', 'user.get', 'permission.list', 'permission.get', 'session.get'],
  errors: [absentUser],
  async run(call, { userid }) {
    const own = await call.invoke<{ user: UserView & { id: string }; system_permissions: string[] }>('session.get', {})
    // Nobody but an administrator may name anybody, and themselves only as the small number (contract §5).
    if (!call.administrator && userid !== null && userid !== own.user.serial) call.refuse('userid is not the same as your user')
    if (userid === null || userid === own.user.serial) return { ...encodeUser(own.user), permissions: await permissionsOf(call, null) }
    const { id } = await locateUser(call, userid)
    const user = await call.invoke<UserView>('user.get', { user: id })
    return { ...encodeUser(user), permissions: await permissionsOf(call, { id, administrator: user.administrator }) }
  },
})

const getUsers = defineMethod({
  name: 'get_users',
  args: {},
  caller: 'administrator',
  operations: ['user.list'],
  errors: [],
  async run(call) {
    const users = await call.all<UserView & { kind: string }>('user.list')
    return users.filter(({ kind }) => kind !== 'builtin').map(encodeUser)
  },
})

const createUser = defineMethod({
  name: 'create_user',
  args: {
    username: required(text),
    // Nothing is as good as an empty one.
    email: required((value) => text(value ?? '')),
    password: optional(text, ''),
    firstname: optional(text, ''),
    lastname: optional(text, ''),
    active: optional(flag, true),
    admin: optional(flag, false),
    extern_type: optional(text, 'internal'),
    extern_name: optional(text, ''),
  },
  caller: 'administrator',
  operations: ['user.create'],
  errors: [taken('user', 'user `{username}` already exist'), taken('e-mail address', 'email `{email}` already exist')],
  failed: 'failed to create user `{username}`',
  async run(call, args) {
    const { username, email } = args
    // The built-in user has that name, so it is taken (contract §15 D6).
    if (username.toLowerCase() === 'default') call.refuse('user `{username}` already exist')
    const user = await call.invoke<UserView>('user.create', { name: username, email: email === '' ? null : email, ...restOf(args) })
    return { msg: call.say('created new user `{username}`'), user: encodeUser(user) }
  },
})

type Rest = Readonly<Record<'password' | 'firstname' | 'lastname' | 'extern_type' | 'extern_name', string> & Record<'active' | 'admin', boolean>>

// A bad value comes after a name or an address that is taken (contract §5), which core looks at first: it gets a password that it refuses.
function restOf(args: Rest) {
  try {
    // Accounts are ours alone; who else would check a password is only looked at for its form.
    void [args.extern_type, args.extern_name]
    const { password, firstname, lastname, active, admin } = args
    return { ...(password === '' ? {} : { password }), first_name: firstname, last_name: lastname, active, administrator: admin }
  } catch (error) {
    if (error instanceof BadArgument) return { password: '\0' }
    throw error
  }
}

const updateUser = defineMethod({
  name: 'update_user',
  args: {
    userid: required(asIs),
    username: unchanged(text),
    email: unchanged(text),
    password: unchanged(text),
    firstname: unchanged(text),
    lastname: unchanged(text),
    active: unchanged(flag),
    admin: unchanged(flag),
    extern_type: unchanged(text),
    extern_name: unchanged(text),
  },
  caller: 'administrator',
  operations: ['user.locate', 'user.update'],
  errors: [missing('user', 'user `{userid}` does not exist')],
  failed: 'failed to update user `{userid}`',
  async run(call, args) {
    const { id, kind } = await locateUser(call, args.userid)
    if (kind === 'builtin') call.refuse('editing default user is forbidden')
    void [args.extern_type, args.extern_name]
    const changes = {
      name: args.username,
      email: args.email === '' ? null : args.email,
      password: args.password === '' ? undefined : args.password,
      first_name: args.firstname,
      last_name: args.lastname,
      active: args.active,
      administrator: args.admin,
    }
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    const user = await call.invoke<UserView>('user.update', { user: id, ...given })
    call.know({ user_id: user.serial, username: user.name })
    return { msg: call.say('updated user ID:{user_id} {username}'), user: encodeUser(user) }
  },
})

const deleteUser = defineMethod({
  name: 'delete_user',
  args: { userid: required(asIs) },
  caller: 'administrator',
  operations: ['user.locate', 'user.delete'],
  errors: [missing('user', 'user `{userid}` does not exist')],
  failed: 'failed to delete user ID:{user_id} {username}',
  async run(call, { userid }) {
    const { id, serial, name } = await locateUser(call, userid)
    call.know({ user_id: serial, username: name })
    await call.invoke('user.delete', { user: id })
    return { msg: call.say('deleted user ID:{user_id} {username}'), user: null }
  },
})

/** Contract §5. */
const userMethods: readonly AnyMethod[] = [getUser, getUsers, createUser, updateUser, deleteUser]

export { userMethods }
