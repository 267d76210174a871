import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../support/app.ts'
import { until } from '../support/until.ts'
import { answered, forms, known, requests, walletOf } from './credential-forms.ts'
import type { TestApp } from '../support/app.ts'
import type { ApiName, Form, Wallet } from './credential-forms.ts'

// Every form of credential × every API that takes one: what counts, what does not, and that none of it counts any more once it is spoilt.

const apiNames = Object.keys(requests) as ApiName[] // the keys of a closed table

let plain: TestApp
let trusting: TestApp
let wallets: Record<'plain' | 'trusting', Wallet>

beforeAll(async () => {
  plain = await openApp({ knobs: { behaviour: 'hang' } })
  trusting = await openApp({ config: { trustedIdentityPeers: ['127.0.0.1/32'] } })
  for (const app of [plain, trusting]) {
    await app.system('repository.create', { path: 'guarded' })
    await app.person('other')
  }
  wallets = { plain: await walletOf(plain, 'ann'), trusting: await walletOf(trusting, 'ann') }
})
afterAll(async () => {
  await plain?.close()
  await trusting?.close()
})

async function statuses(app: TestApp, wallet: Wallet, form: Form): Promise<Record<string, number>> {
  const entries = await Promise.all(apiNames.map(async (api) => [api, await answered(app, api, wallet, form)] as const))
  return Object.fromEntries(entries)
}

const wanted = (taken: readonly ApiName[]) => Object.fromEntries(apiNames.map((api) => [api, taken.includes(api) ? known[api] : 401]))

describe.each(Object.entries(forms))('%s', (_, { form, taken, trusted }) => {
  test(`is taken by ${taken.join(', ') || 'nobody'}`, async () => {
    expect(await statuses(plain, wallets.plain, form)).toEqual(wanted(taken))
  })

  test(`is taken by ${(trusted ?? taken).join(', ') || 'nobody'} where this peer is trusted to name its users`, async () => {
    expect(await statuses(trusting, wallets.trusting, form)).toEqual(wanted(trusted ?? taken))
  })
})

test('a trusted peer cannot name somebody who is not there, nor the server itself', async () => {
  for (const name of ['nobody-here', 'default', 'everyone', 'system', '']) {
    const status = await answered(trusting, 'datatask', { ...wallets.trusting, name }, ({ name: identity }) => ({ identity }))
    expect([400, 401], name).toContain(status)
  }
})

test('what is there counts: a bad bearer token does not fall through to a good cookie or header', async () => {
  const { session, name } = wallets.trusting
  const headers = { authorization: 'Bearer wrong', cookie: `capstan_session=${session}; authtoken=${session}; jwt=${session}`, identity: name }
  expect(await statuses(trusting, wallets.trusting, () => headers)).toEqual({ native: 401, datatask: 401, git: 401, komand: 401 })
})

test('a signature counts once', async () => {
  const [request, wallet] = [requests.datatask(), wallets.plain]
  const headers = forms.signature?.form(wallet, request) ?? {}
  const send = async () => (await plain.nobody.request(request.method, request.path, { headers })).status
  expect([await send(), await send()]).toEqual([404, 401])
})

describe('a credential that is spoilt counts nowhere', () => {
  const every = async (wallet: Wallet, names: readonly string[]) => {
    for (const name of names) expect(await statuses(plain, wallet, forms[name]?.form ?? (() => ({}))), name).toEqual(wanted([]))
  }
  const sessions = Object.keys(forms).filter((name) => name.startsWith('session'))
  const keys = Object.keys(forms).filter((name) => /\bkey\b|S_…_S/.test(name))

  test('a session that was ended', async () => {
    const wallet = await walletOf(plain, 'ended')
    const { status } = await plain.nobody.request('POST', '/api/v1/session.delete', { headers: { authorization: `Bearer ${wallet.session}` } })
    expect(status).toBe(200)
    await every(wallet, sessions)
  })

  test('a session that has expired, though its token is signed for longer', async () => {
    const wallet = await walletOf(plain, 'late')
    const { store, tokens } = plain.services
    const [now, id] = [Date.now(), plain.services.ids.opaque()]
    await store.write((tables) =>
      tables.sessions.insert({ id, user_id: wallet.id, created_at: now - 2000, expires_at: now - 1000, ended_at: null, via: 'test', peer: '' }),
    )
    const seconds = Math.floor(now / 1000)
    await every({ ...wallet, session: tokens.sign({ sub: wallet.id, sid: id, iat: seconds, exp: seconds + 3600 }) }, sessions)
  })

  test('a token that another installation signed, has no signature, or names another way to sign', async () => {
    const foreign = await walletOf(trusting, 'foreign')
    const [header = '', body = ''] = wallets.plain.session.split('.')
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
    for (const session of [foreign.session, `${header}.${body}.`, `${none}.${body}.`]) await every({ ...wallets.plain, session }, sessions)
  })

  test('a key that has expired, and one that was deleted', async () => {
    const wallet = await walletOf(plain, 'keys')
    const soon = new Date(Date.now() + 400).toISOString()
    const expiring = await plain.system('api-key.create', { label: 'soon', user: 'keys', expires_at: soon })
    await until('the key has expired', () => Date.now() > Date.parse(soon))
    await every({ ...wallet, key: expiring.secret }, keys)
    const { items } = await plain.system('api-key.list', { user: 'keys' })
    for (const { id } of items) await plain.system('api-key.delete', { id, user: 'keys' })
    await every(wallet, keys)
  })

  test('a password that was changed, though it was right a moment ago', async () => {
    const wallet = await walletOf(plain, 'changed')
    expect(await answered(plain, 'git', wallet, forms['name and password']?.form ?? (() => ({})))).toBe(200)
    await plain.system('user.set-password', { user: 'changed', password: 'another phrase, as long' })
    await every(wallet, ['name and password', 'e-mail address and password'])
  })
})

describe('a user who is disabled', () => {
  test('is out of every API at once, whatever the form of the credential, and may come back', async () => {
    const wallet = await walletOf(plain, 'leaver')
    await plain.system('user.disable', { user: 'leaver' })
    for (const [name, { form }] of Object.entries(forms)) {
      const answers = await statuses(plain, wallet, form)
      // Git names the reason to who has proved to be that account.
      for (const api of apiNames) expect(api === 'git' ? [401, 403] : [401], `${name} × ${api}`).toContain(answers[api])
    }
    await plain.system('user.enable', { user: 'leaver' })
    expect(await answered(plain, 'native', wallet, ({ key }) => ({ authorization: `Bearer ${key}` }))).toBe(200)
  })

  test('hears nothing more: open streams end within five seconds', async () => {
    const wallet = await walletOf(plain, 'listener')
    await plain.system('repository.create', { path: 'streamed' })
    const task = await running(plain)
    await plain.system('grant.set', { to: 'user:listener', on: `namespace:${task.namespace}`, level: 'read' })
    const streams = await Promise.all(
      ['/api/v1/events', `/api/v1/runs/${task.id}/log?follow=true`].map((path) =>
        fetch(plain.url + path, { headers: { authorization: `Bearer ${wallet.key}` } }),
      ),
    )
    expect(streams.map(({ status }) => status)).toEqual([200, 200])
    const ends = streams.map((stream) => stream.text())
    const at = Date.now()
    await plain.system('user.disable', { user: 'listener' })
    await Promise.all(ends)
    expect(Date.now() - at).toBeLessThan(5000)
    await plain.system('run.cancel', { run: task.id })
  }, 15_000)
})

/** A task that runs until it is cancelled. */
async function running(app: TestApp): Promise<{ id: string; namespace: string }> {
  const files = [
    { path: 'long/manifest.json', text: JSON.stringify({ type: 'job', name: 'long', cmd: ['/bin/true'] }) },
    { path: 'long/code/x', text: 'x' },
  ]
  await app.system('repository.commit-files', { repository: 'streamed', branch: 'master', message: 'files', files })
  return app.system('task.deploy', { repository: 'streamed', directory: 'long' })
}
