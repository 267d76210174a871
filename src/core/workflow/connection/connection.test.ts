import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { documentOf, trigger } from '../job/workflow.suite.ts'
import { readSpec } from '../plugin/spec.ts'
import { connectionProblem } from './find.ts'
import { openConnection } from './open.ts'
import { sortParameters, withSpecDefaults } from './parameters.ts'
import type { Ctx } from '../../operation/context.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'

let app: TestApp
let owner: Person
let other: Person
beforeAll(async () => {
  app = await openApp()
  owner = await app.person('owner')
  other = await app.person('other')
  await app.system('grant.set', { to: 'user:owner', on: 'system:system', level: 'none', extras: ['connection.modify', 'workflow.modify'] })
  await app.system('grant.set', { to: 'user:other', on: 'system:system', level: 'none', extras: ['connection.modify', 'workflow.modify'] })
})
afterAll(() => app.close())

const plugin = { plugin_vendor: 'lab', plugin_name: 'tickets', plugin_version: '1.0.0' }
const named = { vendor: 'lab', name: 'tickets' }
const mask = '********'
let count = 0

async function make(parameters: JsonObject = { url: 'https://a.test', key: 'topsecret' }) {
  return (await owner.call('connection.create', { name: `connection ${++count}`, ...plugin, parameters })).json
}

const schema: JsonObject = {
  type: 'object',
  required: ['url', 'login'],
  properties: {
    url: { type: 'string' },
    port: { type: 'integer' },
    secret: { type: 'string', format: 'password' },
    login: { $ref: '#/definitions/credential_username_password' },
    hosts: { type: 'array', items: { $ref: '#/definitions/host' } },
  },
  definitions: {
    credential_username_password: {
      type: 'object',
      required: ['username', 'password'],
      properties: { username: { type: 'string' }, password: { type: 'string', format: 'password' } },
    },
    host: { type: 'object', properties: { name: { type: 'string' }, token: { type: 'string', format: 'password' } } },
  },
}

test('passwords, whole credentials and what the schema does not name are masked; the rest is shown', () => {
  const parameters = {
    url: 'https://a.test',
    port: 8080,
    secret: 'aaa',
    login: { username: 'ann', password: 'bbb' },
    hosts: [{ name: 'one', token: 'ccc' }],
    strange: { deep: ['ddd', 7, true, null] },
    ['__proto__x']: 'eee',
  }
  const sorted = sortParameters(schema, parameters)
  expect(sorted.shown).toEqual({
    url: 'https://a.test',
    port: 8080,
    secret: mask,
    login: { username: mask, password: mask },
    hosts: [{ name: 'one', token: mask }],
    strange: { deep: [mask, mask, mask, null] },
    ['__proto__x']: mask,
  })
  expect([...sorted.secrets].sort()).toEqual(['7', 'aaa', 'ann', 'bbb', 'ccc', 'ddd', 'eee'])
  expect([sorted.masked, sorted.problems]).toEqual([false, []])
})

test('what the plugin would refuse is said at once, with its place', () => {
  const { problems } = sortParameters(schema, { port: 'x', login: { username: 'ann' }, hosts: ['y'] })
  expect(problems.map(({ path, code }) => `${path} ${code}`)).toEqual(['/url required', '/port type', '/login/password required', '/hosts/0 type'])
  expect(sortParameters(null, { url: 'x' })).toMatchObject({ shown: { url: mask }, problems: [] })
})

test('the schema of a connection says what its spec says of each parameter', async () => {
  const { connection } = await readSpec(
    'name: box\nvendor: lab\nversion: 1.0.0\nconnection:\n  mode: {type: string, title: Mode, description: How, enum: [a, b], default: a, order: 1}\n',
  )
  expect(connection?.properties).toEqual({ mode: { type: 'string', title: 'Mode', description: 'How', enum: ['a', 'b'], default: 'a', order: 1 } })
  expect(sortParameters(connection, { mode: 'c' }).problems).toHaveLength(1)
})

test('a value that the spec does not list is refused, and what is left out has the default of the spec when the plugin is called', () => {
  const of: JsonObject = {
    type: 'object',
    properties: { mode: { type: 'string', enum: ['a', 'b'], default: 'a' }, port: { type: 'integer', default: 443 }, note: { type: 'string' } },
  }
  expect(sortParameters(of, { mode: 'c' }).problems).toEqual([{ path: '/mode', code: 'value', message: 'must be one of a, b' }])
  expect(sortParameters(of, { mode: 'b' }).problems).toEqual([])
  expect(withSpecDefaults(of, { port: 8443 })).toEqual({ port: 8443, mode: 'a' })
  expect(withSpecDefaults(of, JSON.parse('{"__proto__":{"mode":"b"}}'))).toEqual(JSON.parse('{"__proto__":{"mode":"b"},"mode":"a","port":443}'))
  expect(withSpecDefaults(null, { port: 1 })).toEqual({ port: 1 })
})

test('a connection never shows a secret, neither to who made it nor in the store', async () => {
  const made = await make()
  expect(made).toMatchObject({ serial: expect.any(Number), ...plugin, parameters: { url: mask, key: mask } })
  expect((await owner.call('connection.get', { connection: made.id })).json.parameters).toEqual({ url: mask, key: mask })
  const row = await app.services.store.reader.resources.byId(made.id)
  expect(JSON.stringify(row)).not.toContain('topsecret')
  const audited = await app.system('audit.list', { operation: 'connection.create' })
  expect(JSON.stringify(audited)).not.toContain('topsecret')
})

test('a mask keeps the secret only if nothing but the name has changed', async () => {
  const made = await make()
  const update = (change: object) => owner.call('connection.update', { connection: made.id, ...change })
  const opened = () => openConnection(app.services, owner.principal, made.serial, named)
  const before = await opened()
  expect((await update({ name: 'renamed', parameters: made.parameters })).status).toBe(200)
  expect(await opened()).toEqual(before)
  const refused = await update({ parameters: { ...made.parameters, url: 'https://evil.test' } })
  expect(refused.status).toBe(400)
  expect(refused.json.error.message).toContain('only stands for one that is kept')
  expect((await update({ parameters: { key: mask } })).status).toBe(400)
  expect(await opened()).toEqual(before)
  expect((await update({ parameters: { url: 'https://b.test', key: 'another' } })).status).toBe(200)
  const after = await opened()
  expect(after).toMatchObject({ parameters: { url: 'https://b.test', key: 'another' }, secrets: ['https://b.test', 'another'] })
  expect('key' in after && 'key' in before && after.key !== before.key).toBe(true)
  const fresh = await owner.call('connection.create', { name: 'masked', ...plugin, parameters: { key: mask } })
  expect(fresh.status).toBe(400)
})

test('only its owner, and who holds execute on it, can use a connection, and only for its plugin', async () => {
  const made = await make()
  const open = (who: Person, reference: number | string = made.serial, of = named) => openConnection(app.services, who.principal, reference, of)
  expect(await open(owner)).toMatchObject({ parameters: { key: 'topsecret' } })
  expect(await open(owner, made.name)).toMatchObject({ parameters: { key: 'topsecret' } })
  const hidden = { problem: `there is no connection "${made.serial}" that you may use` }
  expect(await open(other)).toEqual(hidden)
  await app.system('grant.set', { to: 'user:other', on: `connection:${made.id}`, level: 'read' })
  expect(await open(other)).toEqual(hidden)
  expect((await other.call('connection.update', { connection: made.id, name: 'x' })).status).toBe(403)
  await app.system('grant.set', { to: 'user:other', on: `connection:${made.id}`, level: 'execute' })
  expect(await open(other)).toMatchObject({ parameters: { key: 'topsecret' } })
  expect(await open(owner, made.serial, { vendor: 'lab', name: 'others' })).toEqual({
    problem: `the connection "${made.name}" is one of the plugin lab/tickets`,
  })
  await owner.call('connection.delete', { connection: made.id })
  expect(await open(owner)).toEqual(hidden)
  expect(JSON.stringify(await app.services.store.reader.resources.byId(made.id))).not.toContain('v1.')
})

test('a connection stays one of its plugin, whose name may be sent back with it', async () => {
  const made = await make()
  const update = (more: object) => owner.call('connection.update', { connection: made.id, ...more })
  expect((await update({ ...plugin, name: made.name })).status).toBe(200)
  for (const other of [{ plugin_name: 'other' }, { plugin_vendor: 'other' }])
    expect((await update(other)).json.error.message).toContain('is a connection of lab/tickets and stays one')
})

test('a connection that was stored for another form of the settings is not opened for a call', async () => {
  const made = await make()
  const open = (form: number) => openConnection(app.services, owner.principal, made.serial, { ...named, form })
  expect(await open(1)).toMatchObject({ parameters: { key: 'topsecret' } })
  expect(await open(2)).toEqual({ problem: expect.stringMatching(/was made for another form of the plugin's settings \(1, now 2\)/) })
})

test('a connection that is not there is found before a job starts', async () => {
  const made = await make()
  const ctx = { db: app.services.store.reader, services: app.services, principal: owner.principal, log: app.services.log } as unknown as Ctx // what it reads
  const asked = { ...named, version: '1.0.0', identifier: 'open' }
  expect(await connectionProblem(ctx, made.serial, asked)).toBeNull()
  expect(await connectionProblem(ctx, 'nowhere', asked)).toContain('there is no connection "nowhere"')
  const step = {
    id: 'Ask',
    type: 'action',
    parameters: { plugin_vendor: 'lab', plugin_name: 'tickets', plugin_version: '1.0.0', step_id: 'open', connection: { connection_id: 9999 } },
  }
  const document = documentOf({ name: 'asks', steps: [trigger, step], paths: ['start>Ask', 'Ask>'] })
  const workflow = (await owner.call('workflow.create', { document })).json
  const refused = await owner.call('workflow.test', { workflow: workflow.id })
  expect(refused.status).toBe(409)
  expect(refused.json.error.message).toContain('Step "Ask": there is no connection "9999" that you may use')
})

test('a connection is found by its number only by who may see it', async () => {
  const made = await make()
  const found = async (who: Person) => (await who.call('connection.list', { serial: made.serial })).json.items.length
  expect([await found(owner), await found(other)]).toEqual([1, 0])
  const tested = (await owner.call('connection.test', { connection: made.id })).json
  expect(tested).toEqual({ success: false, message: 'The plugin lab/tickets 1.0.0 is not installed', log: '' })
})
