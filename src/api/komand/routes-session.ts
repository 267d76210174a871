import { fault, isFault } from '../../core/kernel/fault.ts'
import { requiredText } from './decode.ts'
import { encodeUser } from './encode-user.ts'
import { permissionsOf } from './permissions.ts'
import { claimsOf, lastsSeconds } from './token.ts'
import type { Doing, Route } from './route.ts'
import type { UserView } from './encode-user.ts'

type SignedIn = { readonly token: string; readonly expires_at: string; readonly user: { readonly serial: number } }

/** Sessions (contract §3). */
const sessionRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v2/sessions',
    auth: 'none',
    body: 'object',
    operations: ['session.create', 'role.list-users', 'session.reissue'],
    does: logIn,
  },
  {
    method: 'GET',
    path: '/v2/sessions',
    operations: ['session.get', 'role.list-users'],
    async does(doing) {
      const { user, expires_at } = await doing.invoke<{ user: { serial: number }; expires_at: string | null }>('session.get', {})
      const own = await userOf(doing, user.serial)
      const exp = expires_at === null ? 0 : Math.floor(Date.parse(expires_at) / 1000)
      return { user: encodeUser(own), perms: permissionsOf(own.system_permissions, own.administrator), exp }
    },
  },
  {
    method: 'DELETE',
    path: '/v2/sessions',
    operations: ['session.delete'],
    async does({ invoke }) {
      await invoke('session.delete', {})
      return { message: 'session closed' }
    },
  },
]

/** A session for a name and a secret, under a token with the claims that clients read. */
async function logIn(doing: Doing): Promise<unknown> {
  const [login, password] = [requiredText(doing.body, 'user_name'), requiredText(doing.body, 'user_secret')]
  const { host, call } = doing
  const session = await firstSession(doing, login, password)
  const principal = await host.identify({ form: 'bearer', token: session.token }, call.origin)
  const own = { ...doing, invoke: <Output>(operation: string, input: unknown) => host.invoke<Output>({ ...call, principal }, operation, input) }
  const claims = claimsOf(await userOf(own, session.user.serial))
  const { token } = await own.invoke<SignedIn>('session.reissue', { claims, lasts: lastsSeconds })
  return { token }
}

// A name or a secret that no account can have is as wrong as any other.
async function firstSession({ invoke }: Doing, login: string, password: string): Promise<SignedIn> {
  if (login === '' || login.length > 320 || password.length > 1024) throw fault('invalid_credential')
  try {
    return await invoke<SignedIn>('session.create', { login, password })
  } catch (error) {
    if (isFault(error, 'invalid_input')) throw fault('invalid_credential', {}, { cause: error })
    throw error
  }
}

async function userOf({ invoke }: Pick<Doing, 'invoke'>, serial: number): Promise<UserView> {
  const { items } = await invoke<{ items: UserView[] }>('role.list-users', { serial })
  const [user] = items
  if (!user) throw fault('unauthenticated')
  return user
}

export { sessionRoutes }
