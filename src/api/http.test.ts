import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLab } from './http-lab.suite.ts'
import { native } from './native/index.ts'
import type { Api } from './api.ts'
import type { Lab } from './http-lab.suite.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())

describe('every answer', () => {
  test('it carries a request id of ours and headers that keep browsers from guessing', async () => {
    for (const path of ['/', '/healthz', '/nowhere', '/api/v1/openapi.json']) {
      const { headers } = await fetch(lab.url + path, { headers: { 'x-request-id': 'chosen by the client' } })
      expect(headers.get('x-request-id'), path).toMatch(/^[0-9a-f-]{36}$/)
      expect(headers.get('x-content-type-options'), path).toBe('nosniff')
      expect(headers.get('referrer-policy'), path).toBe('no-referrer')
      expect(headers.get('content-security-policy'), path).toContain("default-src 'none'")
    }
  })

  test('an address that nothing answers is 404, one with another method 405 with what it takes', async () => {
    expect((await fetch(`${lab.url}/nowhere`)).status).toBe(404)
    expect((await fetch(`${lab.url}/healthz-not`)).status).toBe(404)
    const wrong = await fetch(`${lab.url}/api/v1/thing.list`)
    expect(wrong.status).toBe(405)
    expect(wrong.headers.get('allow')).toBe('POST')
    expect(await wrong.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
  })

  test('HEAD and OPTIONS never reach what GET or POST does', async () => {
    expect((await fetch(`${lab.url}/api/v1/events`, { method: 'HEAD' })).status).toBe(405)
    expect((await fetch(`${lab.url}/api/v1/thing.list`, { method: 'HEAD' })).status).toBe(405)
    const options = await fetch(`${lab.url}/api/v1/thing.list`, { method: 'OPTIONS' })
    expect(options.status).toBe(405)
    expect(options.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('an address longer than 8 KiB is 414, one that cannot be decoded 400', async () => {
    expect((await fetch(`${lab.url}/${'a'.repeat(8200)}`)).status).toBe(414)
    expect((await fetch(`${lab.url}/api/v1/${'a'.repeat(9000)}`, { method: 'POST' })).status).toBe(414)
    expect((await fetch(`${lab.url}/api/v1/%ff`, { method: 'POST' })).status).toBe(400)
  })

  test('a body over the limit is 413', async () => {
    const response = await lab.post('thing.list', { text: 'a'.repeat(1024 * 1024) })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { code: 'payload_too_large', message: expect.stringContaining('1048576') } })
  })
})

describe('several APIs on one listener', () => {
  const other: Api = {
    name: 'other',
    segments: ['other'],
    ownsPath: (path) => path.startsWith('/other/'),
    refuseUnmatched: (_request, reply) => void reply.code(404).send({ oops: reply.getHeader('allow') ?? 'nothing' }),
    register(http) {
      http.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body))
      http.setErrorHandler((_error, _request, reply) => reply.code(418).send({ oops: 'error' }))
      http.post('/other/echo/:name', async (request) => ({ said: request.body }))
      http.get('/other/fail', () => {
        throw new Error('fails')
      })
    },
  }

  test('each refuses in its own form, and its parsers and handlers are its own', async () => {
    const both = await startLab({ apis: [other, native] })
    const text = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' }
    expect(await (await fetch(`${both.url}/other/echo/x`, text)).json()).toEqual({ said: 'hello' })
    expect((await fetch(`${both.url}/api/v1/thing.list`, text)).status).toBe(415)
    expect((await fetch(`${both.url}/other/fail`)).status).toBe(418)
    expect(await (await fetch(`${both.url}/other/nothing`)).json()).toEqual({ oops: 'nothing' })
    expect(await (await fetch(`${both.url}/other/echo/x`)).json()).toEqual({ oops: 'POST' })
    expect(await (await fetch(`${both.url}/api/nothing`)).json()).toMatchObject({ error: { code: 'route_not_found' } })
    await both.close()
  })

  test('a route whose first segment its API does not list stops the start', async () => {
    await expect(startLab({ apis: [{ ...other, segments: [] }] })).rejects.toThrow('other')
  })
})

describe('health', () => {
  test('alive and ready are answered to GET and HEAD', async () => {
    for (const path of ['/healthz', '/readyz']) {
      expect((await fetch(lab.url + path)).status).toBe(200)
      expect((await fetch(lab.url + path, { method: 'HEAD' })).status).toBe(200)
    }
  })

  test('a server whose store fails is alive and not ready', async () => {
    const ill = await startLab({ ready: false })
    expect((await fetch(`${ill.url}/healthz`)).status).toBe(200)
    const response = await fetch(`${ill.url}/readyz`)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'not ready', checks: { store: 'failed' } })
    await ill.close()
  })

  test('figures are Prometheus text with every sample under its type, twice as well as once', async () => {
    await lab.post('thing.list', {})
    await fetch(`${lab.url}/metrics`)
    const response = await fetch(`${lab.url}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    const lines = (await response.text()).split('\n').filter((line) => line.trim())
    const types = new Set(lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2]))
    const samples = lines.filter((line) => !line.startsWith('#'))
    expect(types.size).toBeGreaterThanOrEqual(5)
    expect(samples.length).toBeGreaterThanOrEqual(10)
    expect(samples.filter((line) => !types.has(line.split(/[{ ]/)[0] ?? ''))).toEqual([])
    expect(samples).toContain('capstan_runs{kind="task",state="running"} 3')
    expect(samples.some((line) => line.startsWith('capstan_operations_total{operation="thing.list",outcome="succeeded"} '))).toBe(true)
    expect(samples.some((line) => line.startsWith('capstan_http_requests_total{api="native",status="200"} '))).toBe(true)
  })

  test('names that callers make up never become labels', async () => {
    await lab.post('made-up.name', {})
    const text = await (await fetch(`${lab.url}/metrics`)).text()
    expect(text).not.toContain('made-up')
    expect(text).toContain('outcome="operation_not_found"')
  })
})

describe('pages', () => {
  test('both pages are HTML that may run nothing but what is of this origin', async () => {
    for (const path of ['/', '/bootstrap']) {
      const response = await fetch(lab.url + path)
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
      const policy = response.headers.get('content-security-policy') ?? ''
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toContain('unsafe')
      expect(await response.text()).not.toMatch(/<script>|\son\w+=/)
    }
    expect((await fetch(`${lab.url}/bootstrap/form.js`)).headers.get('content-type')).toMatch(/^text\/javascript/)
  })
})
