import { createHash, createHmac, randomUUID } from 'node:crypto'
import type { TestApp } from '../support/app.ts'

/** What one person has to prove who they are. */
export type Wallet = {
  readonly name: string
  readonly id: string
  readonly email: string
  readonly password: string
  readonly session: string
  readonly key: string
  readonly publicKey: string
  readonly signingKey: string
}

export type Request = { readonly method: string; readonly path: string; readonly headers: Record<string, string>; readonly body?: string }
export type ApiName = 'native' | 'datatask' | 'git' | 'komand'

/** A way to prove who one is: what it adds to a request. */
export type Form = (wallet: Wallet, request: Request) => Record<string, string>

const basic = (login: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}` })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export function sign(wallet: Wallet, request: Request, at = Math.floor(Date.now() / 1000)): Record<string, string> {
  const hash = createHash('sha256')
    .update(request.body ?? '')
    .digest('hex')
  const text = `${at}.${request.method}.${request.path}.${wallet.name}.${hash}`
  return { identity: wallet.name, 'identity-signature': `t=${at},v1=${createHmac('sha256', wallet.signingKey).update(text).digest('hex')}` }
}

/** Every form of credential, and the APIs that take it. `trusted` is a server that believes the Identity header of this peer. */
export const forms: Readonly<Record<string, { readonly form: Form; readonly taken: readonly ApiName[]; readonly trusted?: readonly ApiName[] }>> = {
  nothing: { form: () => ({}), taken: [] },
  'session as the cookie capstan_session': { form: ({ session }) => ({ cookie: `capstan_session=${session}` }), taken: ['native'] },
  'session as the cookie authtoken': { form: ({ session }) => ({ cookie: `authtoken=${session}` }), taken: ['datatask'] },
  'session as the cookie jwt': { form: ({ session }) => ({ cookie: `jwt=${session}` }), taken: ['komand'] },
  'session as bearer token': { form: ({ session }) => bearer(session), taken: ['native', 'datatask', 'git', 'komand'] },
  'key, bare, as bearer token': { form: ({ key }) => bearer(key), taken: ['native', 'datatask', 'git', 'komand'] },
  'key, as S_…_S, as bearer token': { form: ({ key }) => bearer(`S_${key}_S`), taken: ['native', 'datatask', 'git', 'komand'] },
  'public part of the key as bearer token': { form: ({ publicKey }) => bearer(`K_${publicKey}_K`), taken: [] },
  'password as bearer token': { form: ({ password }) => bearer(password.replaceAll(' ', '')), taken: [] },
  'name and password': { form: ({ name, password }) => basic(name, password), taken: ['git'] },
  'e-mail address and password': { form: ({ email, password }) => basic(email, password), taken: ['git'] },
  'name and key': { form: ({ name, key }) => basic(name, key), taken: ['git'] },
  'name and S_…_S': { form: ({ name, key }) => basic(name, `S_${key}_S`), taken: ['git'] },
  "somebody else's name and the key": { form: ({ key }) => basic('other', key), taken: [] },
  'Identity header': { form: ({ name }) => ({ identity: name }), taken: [], trusted: ['datatask'] },
  signature: { form: (wallet, request) => sign(wallet, request), taken: ['datatask'] },
  'signature of ten minutes ago': { form: (wallet, request) => sign(wallet, request, Math.floor(Date.now() / 1000) - 600), taken: [] },
  'signature of another request': { form: (wallet, request) => sign(wallet, { ...request, path: '/v1/pipeline/kill/other' }), taken: [] },
}

/** One request to each API that needs to know who asks. The one of the Deploy API names nothing that exists, so it is always new and changes nothing. */
export const requests: Readonly<Record<ApiName, () => Request>> = {
  native: () => ({ method: 'POST', path: '/api/v1/session.get', headers: { 'content-type': 'application/json' }, body: '{}' }),
  datatask: () => ({ method: 'GET', path: `/v1/pipeline/kill/${randomUUID()}`, headers: {} }),
  git: () => ({ method: 'GET', path: '/guarded/info/refs?service=git-upload-pack', headers: {} }),
  komand: () => ({ method: 'GET', path: '/v2/sessions', headers: {} }),
}

/** The answer of somebody whom the API knows. Everything else must be 401. */
export const known: Readonly<Record<ApiName, number>> = { native: 200, datatask: 404, git: 200, komand: 200 }

/** How an API answers a person with this form of credential. */
export async function answered(app: TestApp, api: ApiName, wallet: Wallet, form: Form): Promise<number> {
  const request = requests[api]()
  const { method, path, headers, body } = request
  const { status } = await app.nobody.request(method, path, {
    headers: { ...headers, ...form(wallet, request) },
    ...(body !== undefined && { body }),
  })
  return status
}

/** A new user with everything that proves it, who may read the repository `guarded`. */
export async function walletOf(app: TestApp, name: string): Promise<Wallet> {
  const email = `${name}@lab.test`
  const password = `a long phrase of ${name}`
  const { id } = await app.system('user.create', { name, email, password })
  await app.system('grant.set', { to: `user:${name}`, on: 'repository:guarded', level: 'read' })
  const { token } = await app.system('session.create', { login: name, password })
  const { key, secret } = await app.system('api-key.create', { label: 'test', user: name })
  const { secret: signingKey } = await app.system('signing-key.create', { user: name })
  return { name, id, email, password, session: token, key: secret, publicKey: key, signingKey }
}
