import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apis } from '../src/api/index.ts'
import { createHttp, listenHttp } from '../src/api/http.ts'
import { identify } from '../src/core/identity/identify.ts'
import { healthOf } from '../src/core/operation/health.ts'
import { kallithea } from './adapters/kallithea.ts'
import { komand } from './adapters/komand.ts'
import { komodo } from './adapters/komodo.ts'
import { openApp } from './support/app.ts'
import { clientOf } from './support/client.ts'
import { pushTree } from './support/git.ts'
import type { FastifyInstance } from 'fastify'
import type { Person, TestApp } from './support/app.ts'
import type { Client } from './support/client.ts'

// Whether the operation type carries APIs that know nothing of it: three strangers' protocols, each by hand in one small file, over the real core.

let app: TestApp
let http: FastifyInstance
let url: string
let ann: Person
let stranger: Person
let nobody: Client
let repository: { id: string; serial: number; clone_url: string }

const job = { type: 'job', name: 'greet', cmd: ['/bin/true'] }
const pipeline = { name: 'on-event', original: 'on-event', tasks: [{ name: 'greet', namespacetask: 'secret-lab/greet' }] }

beforeAll(async () => {
  app = await openApp({ config: { openRoutes: 'granted' }, knobs: { durationMs: 0, exitCode: 0 } })
  ann = await app.person('ann')
  stranger = await app.person('stranger')
  repository = await ann.ok('repository.create', { path: 'secret-lab', description: 'Hidden things' })
  const tree = { 'on-event/pipeline.json': pipeline, 'greet/manifest.json': job, 'greet/code/x': 'x' }
  const pushed = await pushTree(`${app.url.replace('//', `//ann:${ann.token}@`)}/secret-lab`, tree)
  expect(pushed.code, pushed.err).toBe(0)
  http = await createHttp({
    config: { trustedProxies: [], bodyLimitBytes: 1024 * 1024 },
    services: app.services,
    // In place of the real ones of the same protocol, which would take the same addresses.
    apis: [...apis.filter(({ name }) => name !== 'kallithea' && name !== 'komand'), komodo, kallithea, komand],
    health: healthOf(app.services),
    identify: (credential, origin) => identify(app.services, credential, origin),
    stream: () => Promise.reject(new Error('No streams here')),
  })
  url = `http://127.0.0.1:${await listenHttp(http, { host: '127.0.0.1', port: 0 })}`
  nobody = clientOf(url, null)
})

afterAll(async () => {
  await http?.close()
  await app?.close()
})

function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  return nobody.request('POST', path, { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
}

test('each adapter is small, and reaches core through the host alone', () => {
  const folder = join(import.meta.dirname, 'adapters')
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    expect(text.trimEnd().split('\n').length, name).toBeLessThan(60)
    const values = [...text.matchAll(/^import \{.*\} from '(.*)'$/gm)].map(([, from]) => from?.replace('../../src/', ''))
    const allowed = ['core/kernel/fault.ts', 'core/kernel/json.ts', 'core/identity/principal.ts']
    expect(values.filter((from) => !allowed.includes(from ?? ''))).toEqual([])
  }
})

describe('a Komodo read', () => {
  const keys = (person: Person, key: string) => ({ 'x-api-key': `K_${key}_K`, 'x-api-secret': `S_${person.token}_S` })
  const publicKey = async (person: Person) => (await person.ok('api-key.list')).items[0].key

  test('is one operation, with a list item of a Repo as its answer', async () => {
    const { status, json } = await post('/read/GetRepo', { repo: 'secret-lab' }, keys(ann, await publicKey(ann)))
    expect(status).toBe(200)
    expect(json).toMatchObject({ id: repository.id.replaceAll('-', '').slice(0, 24), type: 'Repo', name: 'secret-lab', template: false, tags: [] })
    expect(json.info).toMatchObject({ repo: 'secret-lab', branch: 'master', state: 'Ok', latest_hash: expect.stringMatching(/^[0-9a-f]{40}$/) })
  })

  test('answers a stranger, who may not know of it, as if it were missing', async () => {
    const headers = keys(stranger, await publicKey(stranger))
    const hidden = await post('/read/GetRepo', { repo: 'secret-lab' }, headers)
    const missing = await post('/read/GetRepo', { repo: 'secret-lob' }, headers)
    expect(hidden.status).toBe(500)
    expect(hidden.json).toEqual({ error: 'Did not find any Repo matching secret-lab', trace: [] })
    expect(missing.text).toBe(hidden.text.replaceAll('lab', 'lob'))
  })

  test('refuses a key of somebody else, and a type that it does not know', async () => {
    const wrong = await post('/read/GetRepo', { repo: 'secret-lab' }, keys(ann, await publicKey(stranger)))
    expect([wrong.status, wrong.json.error]).toEqual([401, 'Invalid user credentials'])
    expect((await post('/read/constructor', {})).status).toBe(422)
  })
})

describe('a Kallithea call', () => {
  const call = async (body: unknown) =>
    (await nobody.request('POST', '/_admin/api', { headers: { 'content-type': 'text/plain' }, body: JSON.stringify(body) })).json

  test.each([7, '7', null, { a: [1] }])('echoes the id %j with its type', async (id) => {
    const answer = await call({ id, api_key: ann.token, method: 'get_repo', args: { repoid: 'secret-lab' } })
    expect(answer).toMatchObject({ id, error: null, result: { repo_name: 'secret-lab', repo_type: 'git', owner: 'ann', private: true } })
  })

  test('finds a repository by its number as by its path', async () => {
    for (const repoid of [repository.serial, String(repository.serial)]) {
      const { result } = await call({ id: 1, api_key: ann.token, method: 'get_repo', args: { repoid } })
      expect(result).toMatchObject({ repo_id: repository.serial, repo_name: 'secret-lab', clone_uri: null, landing_rev: expect.any(Array) })
    }
  })

  test('says in its own words what is wrong, and echoes the reference as it was given', async () => {
    const error = async (body: object) => (await call(body)).error
    const base = { id: 1, api_key: stranger.token, method: 'get_repo', args: { repoid: 'secret-lab' } }
    expect(await error(base)).toBe('repository `secret-lab` does not exist')
    expect(await error({ ...base, args: { repoid: repository.serial } })).toBe(`repository \`${repository.serial}\` does not exist`)
    expect(await error({ ...base, args: { repoid: 99 } })).toBe('repository `99` does not exist')
    expect(await error({ ...base, api_key: 'wrong' })).toBe('Invalid API key')
    expect(await error({ ...base, method: 'get_nothing' })).toBe('No such method: get_nothing')
    expect(await error({ ...base, args: {} })).toBe('Missing non optional `repoid` arg in JSON DATA')
    expect(await error({ id: 1 })).toBe("Incorrect JSON query missing 'api_key'")
  })
})

describe('a Komand event', () => {
  const send = (person: Person | null, uid: string, event: unknown = {}) =>
    post(`/v2/workflows/${uid}/events`, event, person ? { authorization: `bearer ${person.token}` } : {})

  test('starts a run that is durable and readable before the answer, once for each event', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => send(ann, repository.id, { job_id: 'just a variable' })))
    expect(answers.map(({ status, json }) => [status, json.message])).toEqual(Array(3).fill([200, 'event published to queue']))
    const ids = answers.map(({ json }) => json.job_id)
    expect(new Set(ids).size).toBe(3)
    // The reader is another connection: it sees what is committed, and nothing else.
    for (const id of ids) expect(await app.services.store.reader.runs.byId(id)).toMatchObject({ kind: 'pipeline', started_by: ann.id })
    expect((await ann.ok('run.get', { run: ids[0] })).id).toBe(ids[0])
  })

  test('leaves its audit line under the native name, with the API that it came through', async () => {
    const { items } = await ann.ok('audit.list', { operation: 'pipeline.run' })
    expect(items.map(({ via, actor }: { via: string; actor: string }) => [via, actor])).toEqual(Array(3).fill(['komand', 'ann']))
  })

  test('is refused in the form of its API', async () => {
    expect((await send(null, repository.id)).json).toMatchObject({ status: 'UNAUTHORIZED' })
    expect((await send(ann, repository.id, [1])).json).toMatchObject({ status: 'BAD_REQUEST' })
    expect(await send(ann, 'no-such')).toMatchObject({ status: 404, json: { status: 'NOT_FOUND' } })
    expect(await send(stranger, repository.id)).toMatchObject({ status: 403, json: { status: 'ACCESS_DENIED' } })
  })
})
