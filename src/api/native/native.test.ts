import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLab } from '../http-lab.suite.ts'
import type { Lab } from '../http-lab.suite.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())

const ann = { authorization: 'Bearer token-of-ann' }
const annCookie = { cookie: 'other=1; capstan_session=token-of-ann' }

async function codeOf(answer: Promise<Response>): Promise<[number, string | undefined]> {
  const response = await answer
  const body = (await response.json()) as { error?: { code: string } }
  return [response.status, body.error?.code]
}

describe('operations over HTTP', () => {
  test('an operation answers with its output, and with nothing that its schema does not name', async () => {
    const response = await lab.post('thing.create', { name: 'one', tags: ['x'] }, ann)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ id: '1', name: 'one', state: 'ready', tags: ['x'], private: true })
  })

  test('no body is an empty input', async () => {
    expect((await lab.post('thing.list')).status).toBe(200)
    expect((await lab.post('thing.list', undefined, { 'content-type': 'application/json' })).status).toBe(200)
  })

  test('an unknown operation is 404 operation_not_found', async () => {
    expect(await codeOf(lab.post('no-such.operation', {}))).toEqual([404, 'operation_not_found'])
    expect(await codeOf(lab.post('constructor', {}))).toEqual([404, 'operation_not_found'])
    expect(await codeOf(lab.post('__proto__', {}))).toEqual([404, 'operation_not_found'])
  })

  test('nobody hears whether the input was good', async () => {
    expect(await codeOf(lab.post('thing.create', { wrong: true }))).toEqual([401, 'unauthenticated'])
  })

  test('every problem of an input is told with its place', async () => {
    const response = await lab.post('thing.create', { wrong: true, tags: [1] }, ann)
    expect(response.status).toBe(400)
    const { error } = (await response.json()) as { error: { code: string; details: { problems: { path: string }[] } } }
    expect(error.code).toBe('invalid_input')
    expect(error.details.problems.map(({ path }) => path).sort()).toEqual(['/name', '/tags/0', '/wrong'])
  })

  test('an input that is no object is refused as such', async () => {
    for (const body of [[], 'text', 1, null]) expect(await codeOf(lab.post('thing.create', body, ann))).toEqual([400, 'invalid_input'])
  })

  test('a defect says nothing of itself to the caller, and everything to the log', async () => {
    const response = await lab.post('thing.break', {})
    const text = await response.text()
    expect(response.status).toBe(500)
    expect(text).not.toContain('hunter2')
    expect(text).toContain(response.headers.get('x-request-id'))
    expect(lab.logged.some(({ event }) => event === 'operation.failed')).toBe(true)
  })

  test('what passes says when to try again, in whole seconds', async () => {
    const response = await lab.post('thing.break', { code: 'overloaded' })
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('3')
  })

  test('the content type of a form is refused', async () => {
    const form = (type: string) => codeOf(fetch(`${lab.url}/api/v1/thing.list`, { method: 'POST', headers: { 'content-type': type }, body: '{}' }))
    expect(await form('text/plain')).toEqual([415, 'unsupported_media_type'])
    expect(await form('application/x-www-form-urlencoded')).toEqual([415, 'unsupported_media_type'])
    expect(await form('multipart/form-data; boundary=x')).toEqual([415, 'unsupported_media_type'])
  })
})

describe('credentials', () => {
  test('a bad bearer token is 401 with a challenge, even where nobody is welcome and a good cookie is there', async () => {
    const response = await lab.post('thing.list', {}, { authorization: 'Bearer wrong', ...annCookie })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="capstan", error="invalid_token"')
  })

  test('a scheme that is not known is a bad credential, not none', async () => {
    expect(await codeOf(lab.post('thing.list', {}, { authorization: 'Basic YTpi' }))).toEqual([401, 'invalid_credential'])
    expect(await codeOf(lab.post('thing.list', {}, { authorization: 'Bearer' }))).toEqual([401, 'invalid_credential'])
  })

  test('the session cookie identifies', async () => {
    const response = await lab.post('caller.get', {}, annCookie)
    expect(await response.json()).toMatchObject({ name: 'ann' })
  })

  test('signing in sets both cookies, signing out takes them back', async () => {
    const response = await lab.post('session.create', { login: 'ann', password: 'right' })
    const [own, other] = response.headers.getSetCookie()
    expect(own).toMatch(/^capstan_session=token-of-ann; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3(599|600)$/)
    expect(other).toMatch(/^authtoken=token-of-ann; /)
    const out = await lab.post('session.delete', {}, annCookie)
    expect(out.headers.getSetCookie().map((cookie) => cookie.split(';')[0])).toEqual(['capstan_session=', 'authtoken='])
  })

  test('a cookie that has ended is taken back, and is not in the way of signing in', async () => {
    const stale = { cookie: 'capstan_session=old' }
    const refused = await lab.post('caller.get', {}, stale)
    expect(refused.status).toBe(401)
    expect(refused.headers.getSetCookie()[0]).toContain('Max-Age=0')
    expect((await lab.post('session.create', { login: 'ann', password: 'right' }, stale)).status).toBe(200)
  })

  test('the cookie is for TLS only where people come by TLS', async () => {
    const secure = await startLab({ settings: { publicUrl: 'https://capstan.example' } })
    const response = await secure.post('session.create', { login: 'ann', password: 'right' })
    expect(response.headers.getSetCookie()[0]).toMatch(/; Secure$/)
    await secure.close()
  })
})

describe('pages of other sites', () => {
  const send = (headers: Record<string, string>) => codeOf(lab.post('caller.get', {}, { ...annCookie, ...headers }))

  test('a cookie does not count with a foreign or opaque origin, or from another site', async () => {
    expect(await send({ origin: 'https://evil.example' })).toEqual([403, 'cross_site'])
    expect(await send({ origin: 'null' })).toEqual([403, 'cross_site'])
    expect(await send({ 'sec-fetch-site': 'cross-site' })).toEqual([403, 'cross_site'])
    expect(await send({ 'sec-fetch-site': 'same-site' })).toEqual([403, 'cross_site'])
    expect(await send({ origin: `http://127.0.0.1:${lab.port + 1}` })).toEqual([403, 'cross_site'])
  })

  test('it counts from the own origin, from the public one, and from none', async () => {
    expect(await send({ origin: lab.url, 'sec-fetch-site': 'same-origin' })).toEqual([200, undefined])
    expect(await send({ origin: 'http://127.0.0.1:9120' })).toEqual([200, undefined])
    expect(await send({ 'sec-fetch-site': 'none' })).toEqual([200, undefined])
    expect(await send({})).toEqual([200, undefined])
  })

  test('a cookie alone must come with the JSON content type, which no form can send', async () => {
    expect(await codeOf(lab.post('caller.get', undefined, annCookie))).toEqual([415, 'unsupported_media_type'])
  })

  test('a bearer token counts from everywhere: no browser sends it by itself', async () => {
    expect((await lab.post('caller.get', {}, { ...ann, origin: 'https://evil.example' })).status).toBe(200)
  })

  test('an allowed origin may use the cookie', async () => {
    const open = await startLab({ settings: { allowedOrigins: ['https://tools.example'] } })
    const response = await open.post('caller.get', {}, { ...annCookie, origin: 'https://tools.example', 'sec-fetch-site': 'cross-site' })
    expect(response.status).toBe(200)
    await open.close()
  })
})

describe('the document', () => {
  test('it has every operation, says which are open, and how to sign in', async () => {
    const response = await fetch(`${lab.url}/api/v1/openapi.json`)
    const document = (await response.json()) as Record<string, unknown>
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(document).toMatchObject({
      openapi: '3.1.0',
      security: [{ bearer: [] }, { session: [] }],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, session: { type: 'apiKey', in: 'cookie', name: 'capstan_session' } },
      },
      paths: {
        '/api/v1/thing.list': { post: { operationId: 'thing.list', security: [], tags: ['thing'], requestBody: { required: false } } },
        '/api/v1/thing.create': {
          post: { requestBody: { required: true, content: { 'application/json': { schema: { required: ['name'] }, example: { name: 'first' } } } } },
        },
      },
    })
    expect(document).not.toHaveProperty(['paths', '/api/v1/thing.create', 'post', 'security'])
  })

  test('every reference in it leads somewhere', async () => {
    const text = await (await fetch(`${lab.url}/api/v1/openapi.json`)).text()
    const document = JSON.parse(text)
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path.split('/'))
    expect(references.length).toBeGreaterThan(5)
    for (const path of references)
      expect(
        path.reduce((node, part) => node?.[part], document),
        path.join('/'),
      ).toBeDefined()
  })
})
