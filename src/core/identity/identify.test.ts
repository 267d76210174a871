import { createHash, createHmac } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call, faultOf, from, origin, somebody, system } from '../../../test/support/people.ts'
import { manualClock } from '../../../test/support/clock.ts'
import { testServices } from '../../../test/support/services.ts'
import { hashSecret } from './api-key.ts'
import { apiKeyOperations } from './api-key-operations.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { identify } from './identify.ts'
import { sessionOperations } from './session-operations.ts'
import { signingKeyOperations } from './signing-key-operations.ts'
import { userOperations } from './user-operations.ts'
import { anonymous } from './principal.ts'
import type { Answer } from '../../../test/support/people.ts'
import type { ManualClock } from '../../../test/support/clock.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { Credential } from './credential.ts'

const operations = [...sessionOperations, ...userOperations, ...apiKeyOperations, ...signingKeyOperations]
const password = 'Pw-ann-12345'
let lab: TestServices
let clock: ManualClock

const open = async (settings = {}) => {
  clock = manualClock()
  lab = await testServices({ operations, clock, settings: { trustedIdentityPeers: ['10.0.0.0/8', '::1'], ...settings } })
  await call(lab.services, system, 'user.create', { name: 'ann', email: 'ann@lab.test', password })
}
beforeEach(() => open())
afterEach(() => lab.close())

const who = (credential: Credential, at = origin) => identify(lab.services, credential, at)
const asSystem = (operation: string, input: object): Promise<Answer> => call(lab.services, system, operation, input)
const signIn = (login = 'ann', secret = password): Promise<Answer> => call(lab.services, anonymous, 'session.create', { login, password: secret })
const noteOf = async (promise: Promise<unknown>) => (await faultOf(promise, 'invalid_credential')).context.note

test('no credential is everyone, until the default user is disabled or its networks leave the address out', async () => {
  expect(await who({ form: 'none' })).toEqual(anonymous)
  await asSystem('user.update', { user: 'default', networks: ['192.0.2.0/24'] })
  expect((await who({ form: 'none' })).closed).toBeUndefined()
  expect((await who({ form: 'none' }, from('198.51.100.1'))).closed).toBe(true)
  await asSystem('user.disable', { user: 'default' })
  const closed = await who({ form: 'none' })
  expect(closed).toMatchObject({ kind: 'anonymous', id: everyoneId, closed: true })
  await faultOf(call(lab.services, closed, 'session.get'), 'unauthenticated')
  expect((await call(lab.services, closed, 'session.create', { login: 'ann', password })).user.name).toBe('ann')
})

test('a session token counts as cookie and as bearer, until the session ends, expires, or the user is disabled or deleted', async () => {
  const { token } = await signIn()
  const ann = await who({ form: 'cookie', token })
  expect(ann).toMatchObject({ kind: 'user', name: 'ann', email: 'ann@lab.test', administrator: false, credential: 'cookie' })
  expect(await who({ form: 'bearer', token })).toMatchObject({ name: 'ann', credential: 'bearer' })

  await call(lab.services, ann, 'session.delete')
  expect(await noteOf(who({ form: 'cookie', token }))).toBe('invalid_token')

  const second = (await signIn()).token
  clock.advance(12 * 3_600_000)
  expect(await noteOf(who({ form: 'bearer', token: second }))).toBe('invalid_token')

  const third = (await signIn()).token
  await asSystem('user.disable', { user: 'ann' })
  await faultOf(who({ form: 'bearer', token: third }), 'invalid_credential')
  await asSystem('user.enable', { user: 'ann' })
  expect(await noteOf(who({ form: 'bearer', token: third }))).toBe('invalid_token')

  const fourth = (await signIn()).token
  await asSystem('user.delete', { user: 'ann' })
  await faultOf(who({ form: 'bearer', token: fourth }), 'invalid_credential')
})

test('what only looks like a token or a key is none', async () => {
  const { token } = await signIn()
  const [head, body, tail] = token.split('.')
  for (const text of [
    '',
    'x',
    '.',
    '..',
    `${head}.${body}.`,
    `${head}.${body}.${tail}x`,
    'A'.repeat(39),
    'A'.repeat(40),
    `S_${'A'.repeat(40)}`,
    `K_${'A'.repeat(40)}_K`,
    '\0',
  ]) {
    await faultOf(who({ form: 'bearer', token: text }), 'invalid_credential')
    await faultOf(who({ form: 'cookie', token: text }), 'invalid_credential')
    await faultOf(who({ form: 'api-key', secret: text, key: null }), 'invalid_credential')
  }
})

test('an API key counts in every spelling and in every place, but not as a cookie', async () => {
  const { id, key, secret } = await asSystem('api-key.create', { label: 'ci', user: 'ann' })
  expect(secret).toMatch(/^[A-Za-z0-9]{40}$/)
  const ann = { name: 'ann', credential: 'api-key', credentialId: id }
  for (const text of [secret, `S_${secret}_S`]) {
    expect(await who({ form: 'bearer', token: text })).toMatchObject(ann)
    expect(await who({ form: 'api-key', secret: text, key: null })).toMatchObject(ann)
    expect(await who({ form: 'api-key', secret: text, key })).toMatchObject(ann)
    expect(await who({ form: 'api-key', secret: text, key: `K_${key}_K` })).toMatchObject(ann)
    expect(await who({ form: 'password', login: 'ann', password: text })).toMatchObject(ann)
    await faultOf(who({ form: 'api-key', secret: text, key: 'K_other_K' }), 'invalid_credential')
    await faultOf(who({ form: 'api-key', secret: text, key: 'A'.repeat(40) }), 'invalid_credential')
    await faultOf(who({ form: 'cookie', token: text }), 'invalid_credential')
  }
  await faultOf(who({ form: 'bearer', token: secret.toLowerCase() }), 'invalid_credential')
  await faultOf(who({ form: 'bearer', token: key }), 'invalid_credential')
})

test('a key of 40 hex digits that was imported counts by its hash', async () => {
  const hex = 'ab12'.repeat(10)
  const ann = await lab.services.store.reader.users.byName('ann')
  await lab.services.store.write((tables) =>
    tables.apiKeys.insert({
      id: 'k1',
      user_id: ann?.id ?? '',
      label: 'import',
      public_key: 'x',
      secret_hash: hashSecret(hex),
      scopes: null,
      created_at: 0,
      expires_at: null,
      last_used_at: null,
    }),
  )
  expect(await who({ form: 'bearer', token: hex })).toMatchObject({ name: 'ann' })
})

test('somebody else’s key in the place of a password proves nobody', async () => {
  await asSystem('user.create', { name: 'bob', password })
  const { secret } = await asSystem('api-key.create', { label: 'ci', user: 'bob' })
  await faultOf(who({ form: 'password', login: 'ann', password: secret }), 'invalid_credential')
})

test('a key ends when it expires, is deleted, or its user is disabled', async () => {
  const expires_at = new Date(clock.now() + 60_000).toISOString()
  const short = await asSystem('api-key.create', { label: 'short', user: 'ann', expires_at })
  clock.advance(59_999)
  expect(await who({ form: 'bearer', token: short.secret })).toMatchObject({ name: 'ann' })
  clock.advance(1)
  expect(await noteOf(who({ form: 'bearer', token: short.secret }))).toBe('invalid_key')

  const other = await asSystem('api-key.create', { label: 'other', user: 'ann' })
  await asSystem('user.disable', { user: 'ann' })
  expect(await noteOf(who({ form: 'bearer', token: other.secret }))).toBe('account_inactive')
  await faultOf(who({ form: 'password', login: 'ann', password: other.secret }), 'account_inactive')
  await asSystem('user.enable', { user: 'ann' })
  await asSystem('api-key.delete', { id: other.id })
  expect(await noteOf(who({ form: 'bearer', token: other.secret }))).toBe('invalid_key')
})

test('the use of a key is noted once a minute', async () => {
  const { secret } = await asSystem('api-key.create', { label: 'ci', user: 'ann' })
  const used = async () => (await asSystem('api-key.list', { user: 'ann' })).items[0].last_used_at
  const at = new Date(clock.now()).toISOString()
  for (let i = 0; i < 5; i++) await who({ form: 'bearer', token: secret })
  await expect.poll(used).toBe(at)
  clock.advance(59_000)
  await who({ form: 'bearer', token: secret })
  clock.advance(2000)
  const later = new Date(clock.now()).toISOString()
  await who({ form: 'bearer', token: secret })
  await expect.poll(used).toBe(later)
})

test('a name in any case or the e-mail address counts with the password', async () => {
  for (const login of ['ann', 'ANN', 'Ann@Lab.Test', ' ann '])
    expect(await who({ form: 'password', login, password })).toMatchObject({ name: 'ann', credential: 'password' })
})

test('a wrong password, an unknown name and an empty one are the same refusal', async () => {
  for (const [login, secret] of [
    ['ann', 'wrong'],
    ['ann', ''],
    ['nobody', password],
    ['', password],
    ['default', password],
    ['a'.repeat(500), password],
  ] as const) {
    const error = await faultOf(who({ form: 'password', login, password: secret }), 'invalid_credential')
    expect(error.message).toBe((await faultOf(who({ form: 'password', login: 'ghost', password: 'x' }))).message)
  }
})

test('an inactive account is told apart only with the right password', async () => {
  await asSystem('user.disable', { user: 'ann' })
  await faultOf(who({ form: 'password', login: 'ann', password }), 'account_inactive')
  await faultOf(who({ form: 'password', login: 'ann', password: 'wrong' }), 'invalid_credential')
})

test('allowed networks count for every form, with those of the default user', async () => {
  const { token } = await signIn()
  const { secret } = await asSystem('api-key.create', { label: 'ci', user: 'ann' })
  await asSystem('user.update', { user: 'ann', networks: ['10.0.0.0/8', '2001:db8::/32'] })
  const forms: Credential[] = [
    { form: 'cookie', token },
    { form: 'bearer', token: secret },
    { form: 'password', login: 'ann', password },
    { form: 'password', login: 'ann', password: secret },
    { form: 'header', identity: 'ann@lab.test', tcpPeer: '10.0.0.1' },
  ]
  for (const credential of forms) {
    for (const peer of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1']) expect((await who(credential, from(peer))).name).toBe('ann')
    for (const peer of ['192.0.2.1', '2001:db9::1', '', 'nonsense']) await faultOf(who(credential, from(peer)), 'network_refused')
  }
  await asSystem('user.update', { user: 'default', networks: ['192.0.2.0/24'] })
  for (const credential of forms) expect((await who(credential, from('192.0.2.1'))).name).toBe('ann')
})

test('the Identity header counts from trusted peers only, and elsewhere does not tell who exists', async () => {
  const header = (identity: string, tcpPeer: string) => who({ form: 'header', identity, tcpPeer })
  expect(await header('ann@lab.test', '10.9.9.9')).toMatchObject({ name: 'ann', credential: 'header-peer' })
  expect(await header(' ANN ', '::ffff:10.9.9.9')).toMatchObject({ name: 'ann' })
  for (const peer of ['192.0.2.1', '127.0.0.1', '', '10.9.9.9, 192.0.2.1'])
    for (const identity of ['ann@lab.test', 'ghost@lab.test']) expect(await noteOf(header(identity, peer))).toBe('identity_untrusted')
  for (const identity of ['ghost', '', 'default', 'ann,bob', 'ann\n']) {
    if (identity.trim() === 'ann') continue
    expect(await noteOf(header(identity, '10.9.9.9'))).toBe('unknown_identity')
  }
  await asSystem('user.disable', { user: 'ann' })
  expect(await noteOf(header('ann', '10.9.9.9'))).toBe('unknown_identity')
})

test('without trusted peers in the configuration no header counts, from loopback neither', async () => {
  await lab.close()
  await open({ trustedIdentityPeers: [] })
  for (const tcpPeer of ['127.0.0.1', '::1', '10.0.0.1'])
    expect(await noteOf(who({ form: 'header', identity: 'ann', tcpPeer }))).toBe('identity_untrusted')
})

const signed = (secret: string, more: Partial<Extract<Credential, { form: 'signature' }>> = {}): Credential => {
  const given = {
    identity: 'ann@lab.test',
    at: Math.floor(clock.now() / 1000),
    method: 'GET',
    target: '/v1/run/job/x?a=1',
    bodyHash: createHash('sha256').update('').digest('hex'),
    ...more,
  }
  const text = `${given.at}.${given.method}.${given.target}.${given.identity}.${given.bodyHash}`
  return { form: 'signature', signature: createHmac('sha256', secret).update(text).digest('hex'), ...given }
}

test('a signature counts from anywhere, once, within five minutes, for exactly what was signed', async () => {
  const { secret } = await asSystem('signing-key.create', { user: 'ann' })
  const first = signed(secret)
  expect(await who(first)).toMatchObject({ name: 'ann', credential: 'header-signature' })
  expect(await noteOf(who(first))).toBe('signature_invalid')
  expect(await who(signed(secret, { target: '/other' }))).toMatchObject({ name: 'ann' })

  const seconds = Math.floor(clock.now() / 1000)
  expect(await who(signed(secret, { at: seconds - 299 }))).toMatchObject({ name: 'ann' })
  for (const at of [seconds - 301, seconds + 301, 0, Number.NaN]) expect(await noteOf(who(signed(secret, { at })))).toBe('signature_invalid')

  const base = signed(secret, { target: '/a' })
  for (const change of [
    { target: '/b' },
    { method: 'POST' },
    { bodyHash: '0'.repeat(64) },
    { identity: 'ann' },
    { signature: '0'.repeat(64) },
    { signature: '' },
  ])
    expect(await noteOf(who({ ...base, ...change } as Credential))).toBe('signature_invalid')
  expect(await noteOf(who(signed('another secret')))).toBe('signature_invalid')
  expect(await noteOf(who(signed(secret, { identity: 'ghost' })))).toBe('signature_invalid')
})

test('of the same signature sent many times at once one is accepted', async () => {
  const { secret } = await asSystem('signing-key.create', { user: 'ann' })
  const one = signed(secret)
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => who(one)))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('a signature that was accepted is not accepted again after a restart', async () => {
  const { secret } = await asSystem('signing-key.create', { user: 'ann' })
  const one = signed(secret)
  await who(one)
  await lab.stop()
  lab = await testServices({ operations, clock, folder: lab.folder })
  expect(await noteOf(who(one))).toBe('signature_invalid')
  expect(await who(signed(secret, { target: '/new' }))).toMatchObject({ name: 'ann' })
})

test('sessions and keys outlive a restart', async () => {
  const { token } = await signIn()
  const { secret } = await asSystem('api-key.create', { label: 'ci', user: 'ann' })
  await lab.stop()
  lab = await testServices({ operations, clock, folder: lab.folder })
  expect(await who({ form: 'cookie', token })).toMatchObject({ name: 'ann' })
  expect(await who({ form: 'bearer', token: secret })).toMatchObject({ name: 'ann' })
})

test('sign-ins to a closed account are limited as failures are, also with its password, unless its API lets it ask who it is', async () => {
  await asSystem('user.disable', { user: 'ann' })
  const owner = from('203.0.113.7')
  for (let i = 0; i < 12; i++) await call(lab.services, anonymous, 'session.create', { login: 'ann', password, allow_inactive: true }, owner)
  for (let i = 0; i < 10; i++) await faultOf(call(lab.services, anonymous, 'session.create', { login: 'ann', password }, owner), 'account_inactive')
  await faultOf(call(lab.services, anonymous, 'session.create', { login: 'ann', password }, owner), 'rate_limited')
  await faultOf(who({ form: 'password', login: 'ann', password }, owner), 'rate_limited')
})

test('failed sign-ins are throttled and written down; a right password from elsewhere, sessions and keys go on', async () => {
  const { token } = await signIn()
  const { secret } = await asSystem('api-key.create', { label: 'ci', user: 'ann' })
  const attacker = from('203.0.113.9')
  for (let i = 0; i < 10; i++)
    await faultOf(who({ form: 'password', login: i % 2 ? 'ann' : 'ann@lab.test', password: `guess ${i}` }, attacker), 'invalid_credential')
  const refused = await faultOf(who({ form: 'password', login: 'ann', password }, attacker), 'rate_limited')
  expect(refused.retryAfterMs).toBeGreaterThan(0)
  expect(await who({ form: 'password', login: 'ann', password }, from('198.51.100.7'))).toMatchObject({ name: 'ann' })
  expect(await who({ form: 'cookie', token }, attacker)).toMatchObject({ name: 'ann' })
  expect(await who({ form: 'password', login: 'ann', password: secret }, attacker)).toMatchObject({ name: 'ann' })
  await lab.services.refusals.flush()
  const { items } = await lab.services.store.reader.audit.page({ operation: 'session.create' }, { limit: 100, after: null })
  expect(items.filter(({ outcome, peer }) => outcome === 'refused' && peer === attacker.peer).length).toBeGreaterThanOrEqual(10)
  expect(JSON.stringify(items)).not.toContain('guess')
})

test('a thousand attackers from as many addresses cannot lock the account: the right password is let in from a new address', async () => {
  for (let i = 0; i < 1000; i++) {
    const attempt = lab.services.signInGuard.admit({
      login: (await lab.services.store.reader.users.byName('ann'))?.id ?? '',
      peer: `203.0.${i >> 8}.${i & 255}`,
      via: 'test',
    })
    attempt.failed()
    attempt.done()
  }
  const signing = who({ form: 'password', login: 'ann', password }, from('198.51.100.7'))
  await expect.poll(() => clock.planned).toBeGreaterThan(0)
  clock.advance(2000)
  expect(await signing).toMatchObject({ name: 'ann' })
})

test('a changed password counts at once, and the old one is never right again', async () => {
  for (let i = 0; i < 3; i++) await who({ form: 'password', login: 'ann', password })
  await asSystem('user.set-password', { user: 'ann', password: 'Another-12345' })
  await faultOf(who({ form: 'password', login: 'ann', password }), 'invalid_credential')
  expect(await who({ form: 'password', login: 'ann', password: 'Another-12345' })).toMatchObject({ name: 'ann' })
})

test('fifty sign-ins of one account in a second', async () => {
  await signIn()
  const start = performance.now()
  const answers = await Promise.all(Array.from({ length: 150 }, () => signIn()))
  const seconds = (performance.now() - start) / 1000
  expect(new Set(answers.map(({ token }) => token)).size).toBe(150)
  expect(150 / seconds).toBeGreaterThan(50)
})

test('a session of an account that waits answers only who it is', async () => {
  await somebody(lab.services, 'wally', { active: false, pending: true, password_hash: await lab.services.passwords.hash(password) })
  await faultOf(signIn('wally'), 'account_inactive')
  const { token } = await call(lab.services, anonymous, 'session.create', { login: 'wally', password, allow_inactive: true })
  expect(await noteOf(who({ form: 'bearer', token }))).toBe('account_inactive')
  expect((await call(lab.services, anonymous, 'session.describe', { token })).user).toMatchObject({ name: 'wally', active: false, pending: true })
  await asSystem('user.enable', { user: 'wally' })
  expect(await who({ form: 'bearer', token })).toMatchObject({ name: 'wally' })
})

test('a session can be had under the claims of another API, and the old token ends', async () => {
  const { token, expires_at } = await signIn()
  const ann = await who({ form: 'bearer', token })
  const again = await call(lab.services, ann, 'session.reissue', { claims: { sub: 'root', perms: ['APP'], user: { user_name: 'ann' } } })
  const claims = JSON.parse(Buffer.from(again.token.split('.')[1], 'base64url').toString())
  expect(Object.keys(claims).sort()).toEqual(['exp', 'iat', 'perms', 'sub', 'user'])
  expect(again.expires_at).toBe(expires_at)
  expect(await who({ form: 'bearer', token: again.token })).toMatchObject({ name: 'ann', administrator: false })
  await faultOf(who({ form: 'bearer', token }), 'invalid_credential')
  await faultOf(
    call(lab.services, await who({ form: 'bearer', token: again.token }), 'session.reissue', { claims: { sid: 'x' } }),
    'malformed_request',
  )
})
