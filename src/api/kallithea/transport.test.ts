import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

let lab: KallitheaLab
beforeAll(async () => {
  lab = await openKallitheaLab()
})
afterAll(() => lab?.close())

const asked = (more: object = {}) => JSON.stringify({ id: 7, api_key: lab.root.key, method: 'get_repo', args: { repoid: 'none' }, ...more })
const without = (name: string) => JSON.stringify({ ...JSON.parse(asked()), [name]: undefined })
const answer = (text: string) => JSON.parse(text) as { id: unknown; result: unknown; error: unknown }

describe('one address', () => {
  test('answers with HTTP 200 and the headers that clients know, for errors too', async () => {
    const { status, headers, text } = await lab.raw({ body: asked() })
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/json')
    expect(headers['cache-control']).toBe('no-cache')
    expect(headers.pragma).toBe('no-cache')
    expect(answer(text)).toEqual({ id: 7, result: null, error: 'repository `none` does not exist' })
  })

  test('answers with a double slash as well, and not with a slash behind', async () => {
    expect((await lab.raw({ path: '//_admin/api', body: asked() })).status).toBe(200)
    expect((await lab.raw({ path: '/_admin/api/', body: asked() })).status).toBe(404)
  })

  test.each([
    'text/plain',
    'application/json',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'no type at all',
    undefined,
  ])('takes a body of type %s', async (type) => {
    const { text } = await lab.raw({ body: asked(), headers: type === undefined ? {} : { 'content-type': type } })
    expect(answer(text).error).toBe('repository `none` does not exist')
  })

  test('takes a chunked body without a length', async () => {
    const { text } = await lab.raw({ body: asked(), headers: { 'transfer-encoding': 'chunked' } })
    expect(answer(text).error).toBe('repository `none` does not exist')
  })

  test.each([
    ['UTF-8 with a mark', () => Buffer.from(`\ufeff${asked()}`)],
    ['UTF-16 with a mark', () => Buffer.from(`\ufeff${asked()}`, 'utf16le')],
    ['UTF-16 without a mark', () => Buffer.from(asked(), 'utf16le')],
    ['UTF-16 the other way round', () => Buffer.from(`\ufeff${asked()}`, 'utf16le').swap16()],
  ])('takes %s', async (_name, body) => {
    expect(answer((await lab.raw({ body: body() })).text).error).toBe('repository `none` does not exist')
  })

  test.each([[7], ['7'], [null], [true], [1.5], [[1, { a: null }]], [{ deep: ['x'] }]])('gives the id %j back as it came', async (id) => {
    expect(answer((await lab.raw({ body: asked({ id }) })).text).id).toEqual(id)
  })

  test('gives numbers back digit by digit that no double can hold', async () => {
    const body = asked().replace('"id":7', '"id":12345678901234567890.10')
    expect((await lab.raw({ body })).text).toContain('"id":12345678901234567890.10')
  })

  test('escapes everything that is not ASCII', async () => {
    expect((await lab.raw({ body: asked({ id: 'ü😀\u007f' }) })).text).toContain('"id":"\\u00fc\\ud83d\\ude00\\u007f"')
  })
})

describe('the order of checks', () => {
  test('neither a length nor chunks', async () => {
    const { status, text } = await lab.raw({ method: 'GET' })
    expect({ status, ...answer(text) }).toEqual({ status: 200, id: null, result: null, error: 'No Content-Length in request' })
  })

  test('a length of zero, and no chunk', async () => {
    for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
      expect(answer((await lab.raw({ headers, body: '' })).text)).toEqual({ id: null, result: null, error: 'Content-Length is 0' })
    }
  })

  test('a body that is no JSON is shown as bytes', async () => {
    expect(answer((await lab.raw({ body: 'hello' })).text)).toEqual({
      id: null,
      result: null,
      error: "JSON parse error ERR:Expecting value: line 1 column 1 (char 0) RAW:b'hello'",
    })
    expect(answer((await lab.raw({ body: Buffer.from([0x27, 0xff, 0x0a]) })).text).error).toBe(
      `JSON parse error ERR:'utf-8' codec can't decode byte 0xff in position 1: invalid start byte RAW:b"'\\xff\\n"`,
    )
  })

  test.each([['[]'], ['null'], ['3'], ['"x"']])('JSON that is no object (%s) misses its first member', async (body) => {
    expect(answer((await lab.raw({ body })).text)).toEqual({ id: null, result: null, error: "Incorrect JSON query missing 'api_key'" })
  })

  test('a missing member is named, and the id is given back as soon as it was read', async () => {
    expect(answer((await lab.raw({ body: without('api_key') })).text)).toEqual({
      id: null,
      result: null,
      error: "Incorrect JSON query missing 'api_key'",
    })
    expect(answer((await lab.raw({ body: without('id') })).text)).toEqual({ id: null, result: null, error: "Incorrect JSON query missing 'id'" })
    expect(answer((await lab.raw({ body: without('method') })).text)).toEqual({ id: 7, result: null, error: "Incorrect JSON query missing 'method'" })
    expect(answer((await lab.raw({ body: without('args') })).text)).toEqual({ id: 7, result: null, error: "Incorrect JSON query missing 'args'" })
  })

  test.each([[null], [[]], [4], ['x']])('arguments that are no object (%j) are none', async (args) => {
    expect(answer((await lab.raw({ body: asked({ args }) })).text).error).toBe('Missing non optional `repoid` arg in JSON DATA')
  })

  test('the key comes before the method, the method before its arguments', async () => {
    const error = async (more: object) => answer((await lab.raw({ body: asked(more) })).text).error
    expect(await error({ api_key: 'no', method: '_x' })).toBe('Invalid API key')
    expect(await error({ method: '_x', args: {} })).toBe('Method not allowed')
    expect(await error({ method: 'lock', args: {} })).toBe('No such method: lock')
    expect(await error({ method: null })).toBe('No such method: None')
    expect(await error({ method: 'get_repo', args: { x: 1, y: 2 } })).toBe('Missing non optional `repoid` arg in JSON DATA')
    expect(await error({ method: 'get_repo', args: { repoid: 1, x: 1, y: 2 } })).toBe('Unknown `x`, `y` arg in JSON DATA')
    expect(await error({ method: 'get_repo', args: { repoid: null } })).toBe('repository `None` does not exist')
  })
})

describe('keys', () => {
  test('every wrong key reads the same, whatever is wrong with it', async () => {
    const off = await lab.member('off')
    await lab.app.system('user.disable', { user: 'off' })
    const elsewhere = await lab.member('elsewhere', {})
    await lab.app.system('user.update', { user: 'elsewhere', networks: ['192.0.2.0/24'] })
    for (const key of [null, 7, '', 'x', 'a'.repeat(40), lab.root.key.slice(1), `S_${'a'.repeat(40)}_S`, off.key, elsewhere.key, ['a']]) {
      const { text } = await lab.raw({ body: asked({ api_key: key }) })
      expect(answer(text)).toEqual({ id: 7, result: null, error: 'Invalid API key' })
    }
    await lab.app.system('user.update', { user: 'elsewhere', networks: ['192.0.2.0/24', '127.0.0.0/8'] })
    expect(await lab.error(elsewhere, 'get_repo', { repoid: 4 })).toBe('repository `4` does not exist')
  })

  test("the default user's networks count for everybody", async () => {
    const ann = await lab.member('ann')
    await lab.app.system('user.update', { user: 'default', networks: ['192.0.2.0/24'] })
    expect(await lab.error(ann, 'get_repo', { repoid: 4 })).toBe('Invalid API key')
    await lab.app.system('user.update', { user: 'default', networks: [] })
    expect(await lab.error(ann, 'get_repo', { repoid: 4 })).toBe('repository `4` does not exist')
  })

  test('a key with scopes is good for no more than they say', async () => {
    const ann = await lab.member('scoped')
    const { secret: key } = await lab.app.system('api-key.create', { label: 'narrow', user: 'scoped', scopes: ['read'] })
    expect(await lab.error({ key }, 'get_repos')).toBeNull()
    expect(await lab.error({ key }, 'create_repo', { repo_name: 'narrow', repo_type: 'git' })).toBe('Internal server error')
    expect(await lab.error(ann, 'create_repo', { repo_name: 'narrow', repo_type: 'git' })).toBeNull()
  })

  test('both spellings of a key count', async () => {
    expect(answer((await lab.raw({ body: asked({ api_key: `S_${lab.root.key}_S` }) })).text).error).toBe('repository `none` does not exist')
  })

  test('a wrong key beside the body ends with 403, a right one counts for nothing', async () => {
    const wrong = 'a'.repeat(40)
    expect((await lab.raw({ headers: { authorization: `Bearer ${wrong}` }, body: asked() })).status).toBe(403)
    expect((await lab.raw({ path: `/_admin/api?api_key=${wrong}`, body: asked() })).status).toBe(403)
    expect((await lab.raw({ path: '/_admin/api?api_key=', body: asked() })).status).toBe(403)
    const right = { authorization: `Bearer ${lab.root.key}` }
    expect(answer((await lab.raw({ headers: right, body: without('api_key') })).text).error).toBe("Incorrect JSON query missing 'api_key'")
    expect(answer((await lab.raw({ headers: { authorization: 'Basic eDp5' }, body: asked() })).text).error).toBe('repository `none` does not exist')
  })
})

describe('methods of HTTP', () => {
  test('a query parameter _method is 405', async () => {
    expect((await lab.raw({ path: '/_admin/api?_method=PUT', body: asked() })).status).toBe(405)
  })

  test.each(['PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'TRACE'])('%s is 405 with a text', async (method) => {
    const { status, headers, text } = await lab.raw({
      method,
      ...(method === 'TRACE' ? {} : { body: asked(), headers: { 'content-length': String(asked().length) } }),
    })
    expect(status).toBe(405)
    expect(headers['content-type']).toMatch(/^text\/plain/)
    expect(text).not.toBe('')
  })

  test('GET and HEAD execute nothing', async () => {
    const body = asked({ method: 'create_repo', args: { repo_name: 'by-get' } })
    expect((await lab.raw({ method: 'GET', body, headers: { 'content-length': String(body.length) } })).status).toBe(405)
    const head = await lab.raw({ method: 'HEAD', body, headers: { 'content-length': String(body.length) } })
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: '' })
    expect(await lab.error(lab.root, 'get_repo', { repoid: 'by-get' })).toBe('repository `by-get` does not exist')
  })

  test('a body beyond the limit is refused before it is read', async () => {
    const { status } = await lab.raw({ headers: { 'content-length': String(10 ** 10) }, body: '{' }).catch(() => ({ status: 0 }))
    expect(status).toBe(413)
  })
})
