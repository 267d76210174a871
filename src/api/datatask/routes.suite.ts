import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { job } from './deploy-lab.suite.ts'
import { routes } from './routes.ts'
import type { InjectOptions } from 'fastify'
import type { DeployLab, Labs, Person } from './deploy-lab.suite.ts'
import type { Route } from './routes.ts'

/** Every route of the contract × both prefixes × every form of identity × the errors that come before any operation. */
export function routesSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: every route`, () => {
    let lab: DeployLab
    let closed: DeployLab
    let ann: Person
    let token: string

    beforeAll(async () => {
      lab = await open({ config: { trustedIdentityPeers: ['127.0.0.0/8'] } })
      closed = await open({ config: { requireIdentityEverywhere: true } })
      ann = await lab.person('ann')
      await lab.repository('weather', { 'fetch/manifest.json': job }, { owner: ann.principal })
      const session = await lab.system<{ token: string }>('session.create', { login: 'ann', password: 'a long ann phrase' })
      token = session.token
    })
    afterAll(async () => {
      await lab.close()
      await closed.close()
    })

    const samples: Readonly<Record<string, string>> = {
      repository: 'none-such',
      directory: 'fetch',
      namespace: 'none-such',
      name: 'fetch',
      id: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001',
      work_id: '0'.repeat(32),
      job: 'fetch',
      cronjob: 'fetch',
      deployment: 'fetch',
      service: 'fetch',
    }
    const addressOf = (route: Route) => route.path.replace(/:(\w+)/g, (_, name: string) => samples[name] ?? name)
    const table = routes.map((route) => [`${route.method} ${route.path}`, route] as const)
    const protectedOnes = table.filter(([, route]) => route.auth === 'protected')
    const openOnes = table.filter(([, route]) => route.auth === 'open')

    const ask = (route: Route, headers: Record<string, string>, more: Partial<InjectOptions> = {}) =>
      lab.request(null, route.method, `${more.url ?? addressOf(route)}`, { ...more, headers })
    const codeOf = (answer: { status: number; json: { error?: { code: string } } }) => `${answer.status} ${answer.json.error?.code}`
    const fresh = { remoteAddress: '127.0.0.1' }
    let other = 0
    /** Another address for each request, so that the count of anonymous requests plays no part. */
    const somewhere = () => ({ remoteAddress: `10.${(++other >> 8) & 255}.${other & 255}.7` })

    test('the table has the 33 routes of the contract, 16 of them protected', () => {
      expect([routes.length, protectedOnes.length]).toEqual([33, 16])
    })

    describe.each(['', '/apps/deploy-api'])('under the prefix "%s"', (prefix) => {
      test.each(protectedOnes)('%s answers nobody with identity_required and how to prove who one is', async (_, route) => {
        const answer = await ask(route, {}, { url: prefix + addressOf(route), ...somewhere() })
        expect(codeOf(answer)).toBe('401 identity_required')
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="deploy-api"')
        expect(answer.headers['cache-control']).toBe('no-store')
      })

      test.each(table)('%s takes no other method, HEAD and OPTIONS included', async (_, route) => {
        for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE', route.method === 'GET' ? 'POST' : 'GET']) {
          const answer = await lab.request(ann, method, prefix + addressOf(route), fresh)
          expect([answer.status, answer.headers.allow]).toEqual([405, route.method])
          if (method !== 'HEAD') expect(answer.json.error?.code).toBe('method_not_allowed')
        }
      })

      test.each(openOnes)('%s takes a bad credential for none', async (_, route) => {
        const bare = await ask(route, {}, { url: prefix + addressOf(route), ...somewhere() })
        const bad = await ask(route, { authorization: 'Bearer nonsense' }, { url: prefix + addressOf(route), ...somewhere() })
        expect(codeOf(bad)).toBe(codeOf(bare))
        expect(bad.status).not.toBe(401)
      })
    })

    test.each(protectedOnes)('%s: a credential that is there and wrong never falls through to the next', async (_, route) => {
      const identity = { identity: 'ann@lab.test' }
      for (const headers of [
        { authorization: 'Bearer nope' },
        { authorization: `Bearer ${token}x` },
        { authorization: 'Basic YTpi' },
        { cookie: 'authtoken=a.b.c' },
      ]) {
        expect(codeOf(await ask(route, { ...headers, ...identity }, fresh))).toBe('401 invalid_token')
      }
    })

    test.each(protectedOnes)('%s: every form of identity reaches the same answer', async (_, route) => {
      const forms: Record<string, string>[] = [
        { authorization: `Bearer ${ann.key}` },
        { authorization: `bearer ${token}` },
        { cookie: `a=b; authtoken=${token}` },
        { identity: ' Ann@Lab.Test ' },
      ]
      const answers = await Promise.all(forms.map((headers) => ask(route, headers, fresh)))
      expect(answers.map(({ status }) => status)).not.toContain(401)
      expect(new Set(answers.map(codeOf)).size).toBe(1)
    })

    test.each(protectedOnes)('%s refuses what another site or a prefetch caused, before it looks at anything else', async (_, route) => {
      const cookie = `authtoken=${token}`
      const foreign = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'null' }, { origin: 'https://evil.test' }]
      for (const headers of foreign) expect(codeOf(await ask(route, { cookie, ...headers }, fresh))).toBe('403 cross_site_request')
      for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, { origin: 'http://localhost:80' }]) {
        expect(codeOf(await ask(route, { cookie, host: 'localhost:80', ...headers }, fresh))).not.toBe('403 cross_site_request')
      }
      // A page cannot send a bearer token of somebody else: the rule is about cookies.
      expect(codeOf(await ask(route, { authorization: `Bearer ${token}`, origin: 'https://evil.test' }, fresh))).not.toBe('403 cross_site_request')
      for (const headers of [{ purpose: 'prefetch' }, { 'sec-purpose': 'prefetch;prerender' }]) {
        expect(codeOf(await ask(route, { authorization: `Bearer ${token}`, ...headers }, fresh))).toBe('403 cross_site_request')
      }
    })

    describe('the Identity header', () => {
      const route = routes[0] as Route

      test('counts from trusted peers only, whatever address a header claims, and says nothing about who exists', async () => {
        const headers = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' }
        for (const identity of ['ann@lab.test', 'nobody@lab.test']) {
          expect(codeOf(await ask(route, { ...headers, identity }, { remoteAddress: '10.1.2.3' }))).toBe('401 identity_untrusted')
        }
        expect(codeOf(await ask(route, { identity: 'ann@lab.test' }, { remoteAddress: '::ffff:127.0.0.9' }))).toBe('404 repository_not_found')
        expect(codeOf(await ask(route, { identity: 'nobody@lab.test' }, fresh))).toBe('401 unknown_identity')
      })

      test('is trusted from nowhere by default, loopback included', async () => {
        const answer = await closed.request(null, 'GET', '/v1/task/deploy/a/b', { headers: { identity: 'ann@lab.test' }, remoteAddress: '127.0.0.1' })
        expect(codeOf(answer)).toBe('401 identity_untrusted')
      })

      test('must be one identity of at most 254 characters', async () => {
        for (const identity of ['a,b', '', 'x'.repeat(255)]) expect(codeOf(await ask(route, { identity }, fresh))).toBe('400 invalid_parameter')
      })

      test('may be signed instead: over method, address, identity and body, for five minutes, once', async () => {
        const key = await lab.system<{ id: string; secret: string }>('signing-key.create', { user: 'ann' })
        const url = '/v2/task/elaborate/deploy/none-such/fetch?x=1'
        const payload = 'branch=dev'
        const sign = (at: number, body = payload, secret = key.secret) => {
          const hash = createHash('sha256').update(body).digest('hex')
          return `t=${at},v1=${createHmac('sha256', secret).update(`${at}.POST.${url}.ann@lab.test.${hash}`).digest('hex')}`
        }
        const send = (signature: string) =>
          lab.request(null, 'POST', url, {
            headers: { identity: 'ann@lab.test', 'identity-signature': signature, 'content-type': 'application/x-www-form-urlencoded' },
            payload,
            remoteAddress: '10.9.9.9',
          })
        const now = Math.floor(Date.now() / 1000)
        expect(codeOf(await send(sign(now)))).toBe('404 repository_not_found')
        expect(codeOf(await send(sign(now)))).toBe('401 identity_untrusted')
        for (const bad of [sign(now - 400), sign(now + 1, 'branch=master'), sign(now + 2, payload, 'other'), 't=1', 'v1=ab', `t=${now},v1=zz`]) {
          expect(codeOf(await send(bad))).toBe('401 identity_untrusted')
        }
      })
    })

    test('an operator can close the open routes', async () => {
      for (const [, route] of openOnes) {
        expect(codeOf(await closed.request(null, route.method, addressOf(route), somewhere()))).toBe('401 identity_required')
      }
    })

    test('anonymous requests of one address are counted, those of others and of signed-in callers are not', async () => {
      const answers = []
      for (let index = 0; index < 80; index++) answers.push(await lab.request(null, 'GET', '/v1/list/namespaces', { remoteAddress: '10.200.0.1' }))
      const last = answers.at(-1)
      expect(answers[0]?.status).toBe(200)
      expect([last?.status, last?.json.error?.code, last?.headers['retry-after']]).toEqual([429, 'rate_limited', '1'])
      expect((await lab.request(null, 'GET', '/v1/list/namespaces', { remoteAddress: '10.200.0.2' })).status).toBe(200)
      expect((await lab.request(ann, 'GET', '/v1/list/namespaces', { remoteAddress: '10.200.0.1' })).status).toBe(200)
    })

    describe('addresses', () => {
      test.each([
        '/v1',
        '/v1/',
        '/v1/nothing',
        '/v1/task/deploy/a',
        '/v1/task/deploy//b',
        '/v1/task/deploy/a/b//',
        '/V1/list/tasks',
        '/v2/task/nothing',
        '/v2/pipeline',
        '/apps/deploy-api',
        '/apps/deploy-api/',
        '/apps/deploy-api/v2/workflows',
        '/v1/list/tasks/a/b',
      ])('%s is no route, said in the form of this API', async (url) => {
        const answer = await lab.request(ann, 'GET', url, fresh)
        if (url === '/V1/list/tasks') expect(answer.status).toBe(404)
        else expect(codeOf(answer)).toBe('404 route_not_found')
      })

      test('a parameter is decoded exactly once, after the path was split', async () => {
        const nested = await lab.request(ann, 'GET', '/v1/task/deploy/weather/none%2Fsuch', fresh)
        expect(codeOf(nested)).toBe('404 directory_not_found')
        const twice = await lab.request(ann, 'GET', '/v1/task/deploy/weather/none%252Fsuch', fresh)
        expect(codeOf(twice)).toBe('404 directory_not_found')
        expect(twice.json.error?.message).toContain('none%2Fsuch')
        expect(codeOf(await lab.request(ann, 'GET', '/v1/list/tasks/a%2Fb', fresh))).toBe('400 invalid_name')
      })

      test('a query that is not encoded as it should be, or a word that is none, is refused with its name', async () => {
        const id = samples.id
        for (const query of ['?cleanup=maybe', '?cleanup=true&cleanup=true', '?x=%zz']) {
          expect(codeOf(await lab.request(ann, 'GET', `/v1/pipeline/kill/${id}${query}`, fresh))).toBe('400 invalid_parameter')
        }
        const bad = await lab.request(ann, 'GET', '/v1/pipeline/kill/a.b', fresh)
        expect(bad.json.error).toMatchObject({ code: 'invalid_parameter', details: { field: 'id' } })
      })
    })
  })
}
