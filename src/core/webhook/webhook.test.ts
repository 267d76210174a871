import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { manualClock } from '../../../test/support/clock.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { until as untilTrue } from '../../../test/support/until.ts'
import { pullRequestOperations } from '../pull-request/operations.ts'
import { retryMs, WebhookDispatch } from './dispatch.ts'
import { mostWaiting, pushFact, queueFact } from './fact.ts'
import { webhookOperations } from './operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { ManualClock } from '../../../test/support/clock.ts'
import type { Principal } from '../identity/principal.ts'

vi.setConfig({ testTimeout: 60_000 })

type Heard = { path: string; headers: Record<string, string | string[] | undefined>; text: string; body: Record<string, unknown> }
type Hook = { id: string; secret: string | null; events: string[]; dropped: number }
type Sent = { id: string; event: string; state: string; attempts: number; status: number | null; excerpt: string | null; error: string | null }

let lab: RepositoryLab
let clock: ManualClock
let heard: Heard[]
let answer: (path: string) => number | null
let url: string
let closing: (() => unknown)[]

beforeEach(async () => {
  lab = await openRepositoryLab([...webhookOperations, ...pullRequestOperations])
  clock = manualClock(Date.now())
  heard = []
  answer = () => 200
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      heard.push({ path, headers: request.headers, text, body: JSON.parse(text) as Record<string, unknown> })
      const status = answer(path)
      if (status !== null) response.writeHead(status).end(`said ${status}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://hook.test:${(server.address() as AddressInfo).port}`
  closing = [
    () => {
      server.close()
      server.closeAllConnections()
    },
  ]
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  await lab.close()
})

/** A server's sender, with a clock that the test moves. */
async function send(id = 'one', shared = false): Promise<WebhookDispatch> {
  const dispatch = new WebhookDispatch({ services: () => ({ ...lab.services, clock }), server: { id, shared } })
  closing.push(() => dispatch.close())
  clock.advance(Date.now() - clock.now() + 1000)
  await dispatch.start()
  return dispatch
}

/** As `until`, while the sender's clock does not fall behind the time of the facts, which the store's clock gives them. */
const until = <T>(what: string, look: () => T | Promise<T>) =>
  untilTrue(what, () => {
    if (clock.now() < Date.now()) clock.advance(Date.now() - clock.now())
    return look()
  })

const make = (principal: Principal, more: object = {}) => lab.call<Hook>(principal, 'webhook.create', { url: `${url}/in`, ...more })
const sent = async (hook: Hook) => (await lab.as<{ items: Sent[] }>('webhook.list-deliveries', { webhook: hook.id })).items
const commit = (repository: string, principal = lab.root) =>
  lab.call<{ commit: string }>(principal, 'repository.commit-files', {
    repository,
    branch: 'main',
    message: 'x',
    files: [{ path: 'a', text: String(Math.random()) }],
  })

test('a push is posted with a signature over the body that the secret of the webhook makes, and the secret is shown once', async () => {
  const { id } = await lab.make('lab')
  const hook = await make(lab.root, { repository: 'lab' })
  await send()
  const { commit: to } = await commit('lab')
  await until('it was posted', () => heard.length === 1)
  const [{ headers, text, body, path }] = heard as [Heard]
  const signature = `sha256=${createHmac('sha256', hook.secret ?? '')
    .update(text)
    .digest('hex')}`
  expect([path, headers['x-capstan-event'], headers['x-capstan-signature'], headers['x-hub-signature-256']]).toEqual([
    '/in',
    'push',
    signature,
    signature,
  ])
  expect(body).toMatchObject({
    event: 'push',
    delivery: headers['x-capstan-delivery'],
    server: 'http://capstan.test',
    repository: { id, path: 'lab' },
    by: 'root',
    push: { count: 1, changes: [{ ref: 'refs/heads/main', from: null, to }] },
  })
  await until('it is written down', async () => (await sent(hook))[0]?.state === 'delivered')
  expect(await sent(hook)).toMatchObject([{ event: 'push', attempts: 1, status: 200, excerpt: 'said 200' }])
  const kept = JSON.stringify([await lab.as('webhook.get', { webhook: hook.id }), await lab.store.reader.webhooks.byId(hook.id), lab.logged])
  expect(kept).not.toContain(hook.secret)
})

test('what was told in vain is told again later and later, and in the end not any more, until somebody asks for it', async () => {
  await lab.make('lab')
  const hook = await make(lab.root, { repository: 'lab', secret: 'a secret of mine' })
  expect(hook.secret).toBeNull()
  answer = () => 503
  await send()
  await commit('lab')
  for (const [at, delay] of [...retryMs, 0].entries()) {
    await until(`try ${at + 1}`, async () => (await sent(hook))[0]?.attempts === at + 1)
    expect(await sent(hook)).toMatchObject([{ state: delay === 0 ? 'failed' : 'waiting', status: 503, excerpt: 'said 503' }])
    clock.advance(delay - 1)
    expect(heard).toHaveLength(at + 1)
    // The next look is planned once this one's end is written down.
    await until('the next look', async () => {
      clock.advance(60)
      return heard.length > at + 1 || delay === 0
    })
  }
  expect(new Set(heard.map(({ text }) => text)).size, 'each time the same body').toBe(1)
  answer = () => 204
  const [{ id }] = (await sent(hook)) as [Sent]
  await lab.as('webhook.redeliver', { webhook: hook.id, delivery: id })
  await until('it was delivered', async () => (await sent(hook)).some(({ state }) => state === 'delivered'))
  expect(heard.at(-1)?.body).toMatchObject({ event: 'push', redelivery_of: id, push: { count: 1 } })
})

test('a receiver that keeps one waiting holds up no other', async () => {
  await lab.make('lab')
  const slow = await make(lab.root, { repository: 'lab', url: `${url}/slow` })
  await make(lab.root, { repository: 'lab', url: `${url}/quick` })
  answer = (path) => (path === '/slow' ? null : 200)
  await send()
  for (const _ of [1, 2, 3]) await commit('lab')
  await until('the quick one has heard of everything', () => heard.filter(({ path }) => path === '/quick').length === 3)
  expect(heard.filter(({ path }) => path === '/slow')).toHaveLength(1)
  expect((await sent(slow)).map(({ state }) => state)).toEqual(['waiting', 'waiting', 'waiting'])
})

test('beyond its bound a queue takes no more, and says how many it did not take', async () => {
  const { id } = await lab.make('lab')
  const hook = await make(lab.root, { repository: 'lab' })
  const row = await lab.store.reader.resources.byId(id)
  if (!row) throw new Error('It is there')
  const push = { id: '', repository_id: id, user_id: '', user: 'ann', state: 'done' as const, commands: [], changes: [], at: 0 }
  await lab.store.write(async (db) => {
    for (let at = 0; at < mostWaiting + 5; at++) await queueFact(db, pushFact(row, { ...push, id: `push-${at}` }, [], Date.now()))
  })
  expect(await lab.as('webhook.get', { webhook: hook.id })).toMatchObject({ dropped: 5 })
  expect((await lab.refused(lab.root, 'webhook.test', { webhook: hook.id })).code).toBe('quota_exceeded')
})

test('of two servers one sends each delivery, and what a killed one had taken is sent again under the same id', async () => {
  await lab.make('lab')
  const hook = await make(lab.root, { repository: 'lab' })
  await Promise.all([send('one', true), send('two', true)])
  for (let at = 0; at < 20; at++) await commit('lab')
  await until('all are delivered', async () => {
    clock.advance(50)
    return (await sent(hook)).filter(({ state }) => state === 'delivered').length === 20
  })
  expect(new Set(heard.map(({ headers }) => headers['x-capstan-delivery'])).size).toBe(20)
  expect(heard).toHaveLength(20)
  for (const close of closing.splice(1)) await close()
  const { commit: to } = await commit('lab')
  clock.advance(Date.now() - clock.now() + 1000)
  const taken = await lab.store.write((db) => db.deliveries.take(hook.id, 'killed', clock.now(), clock.now() + 30_000))
  expect(taken?.body).toMatchObject({ push: { changes: [{ to }] } })
  await send('three', true)
  expect(heard).toHaveLength(20)
  clock.advance(31_000)
  await until('it is sent', () => heard.length === 21)
  expect(heard[20]?.headers['x-capstan-delivery']).toBe(taken?.id)
})

test('a pull request and what is said to it are told of with what was done', async () => {
  await lab.make('lab')
  await commit('lab')
  await lab.as('repository.fork', { repository: 'lab', path: 'fork' })
  await commit('fork')
  await make(lab.root, { repository: 'lab', events: ['pull-request', 'comment'] })
  await send()
  const { id, serial } = await lab.as<{ id: string; serial: number }>('pull-request.create', {
    repository: 'lab',
    target_branch: 'main',
    source_repository: 'fork',
    source_branch: 'main',
    title: 'Rain',
  })
  await lab.as('pull-request.comment', { pull_request: id, text: 'good', status: 'approved' })
  await lab.as('pull-request.close', { pull_request: id })
  await until('all was told', () => heard.length === 3)
  const byAction = Object.fromEntries(heard.map(({ body }) => [String(body.action), body]))
  expect(byAction.opened).toMatchObject({
    event: 'pull-request',
    pull_request: { id, serial, title: 'Rain', state: 'open', source_repository: 'fork' },
  })
  expect(byAction.commented).toMatchObject({ event: 'comment', comment: { text: 'good', status: 'approved' }, by: 'root' })
  expect(byAction.closed).toMatchObject({ event: 'pull-request', pull_request: { state: 'closed' } })
})

test('a webhook hears of nothing that whoever made it may not read any more', async () => {
  await lab.make('lab')
  await lab.make('other')
  const ann = await lab.user('ann')
  await lab.grant(ann, 'repository', 'lab', 'admin')
  const hook = await make(ann, { repository: 'lab' })
  const all = await make(lab.root, { url: `${url}/all` })
  await commit('other')
  await commit('lab')
  await lab.grant(ann, 'repository', 'lab', 'none')
  await commit('lab')
  await lab.grant(ann, 'repository', 'lab', 'read')
  await lab.store.write((db) => db.users.update(ann.id, { active: false }))
  await commit('lab')
  expect(await sent(hook)).toHaveLength(1)
  expect(await sent(all)).toHaveLength(4)
})

test('webhooks of a repository are for who administers it, those of everything for administrators', async () => {
  await lab.make('lab')
  const [ann, bob] = [await lab.user('ann'), await lab.user('bob')]
  await lab.grant(ann, 'repository', 'lab', 'write')
  const hook = await make(lab.root, { repository: 'lab' })
  const code = async (who: Principal, operation: string, input: object) => (await lab.refused(who, operation, input)).code
  for (const operation of ['get', 'update', 'delete', 'test', 'list-deliveries']) {
    expect(await code(ann, `webhook.${operation}`, { webhook: hook.id })).toBe('forbidden')
    expect(await code(bob, `webhook.${operation}`, { webhook: hook.id })).toBe('not_found')
  }
  expect(await code(ann, 'webhook.create', { url })).toBe('forbidden')
  expect(await code(ann, 'webhook.create', { repository: 'lab', url })).toBe('forbidden')
  expect(await code(bob, 'webhook.create', { repository: 'lab', url })).toBe('not_found')
  expect(await code(ann, 'webhook.list', {})).toBe('forbidden')
  const all = await make(lab.root)
  await lab.grant(ann, 'repository', 'lab', 'admin')
  expect(await code(ann, 'webhook.get', { webhook: all.id })).toBe('not_found')
  expect(await lab.call(ann, 'webhook.list', { repository: 'lab' })).toMatchObject({ items: [{ id: hook.id }] })
  const other = await make(ann, { repository: 'lab' })
  const ping = await lab.call<Sent>(ann, 'webhook.test', { webhook: hook.id })
  expect(await code(ann, 'webhook.redeliver', { webhook: other.id, delivery: ping.id })).toBe('not_found')
})

test.each([
  ['ftp://hook.test/', 'invalid_input'],
  ['file:///etc/passwd', 'invalid_input'],
  ['http://ann:secret@hook.test/', 'invalid_input'],
  ['http://hook.test/\r\nx: y', 'invalid_input'],
  ['/in', 'invalid_input'],
  ['http://inner.test/', 'egress_refused'],
  ['http://169.254.169.254/latest', 'egress_refused'],
  ['http://[::1]/', 'egress_refused'],
  ['http://0x7f000002/', 'egress_refused'],
])('%s is not posted to', async (address, code) => {
  expect((await lab.refused(lab.root, 'webhook.create', { url: address })).code).toBe(code)
})

test('while it is not active nothing is taken up, and what waited goes on waiting', async () => {
  await lab.make('lab')
  const hook = await make(lab.root, { repository: 'lab' })
  await commit('lab')
  await lab.as('webhook.update', { webhook: hook.id, active: false })
  await send()
  await commit('lab')
  expect((await lab.refused(lab.root, 'webhook.test', { webhook: hook.id })).code).toBe('state_conflict')
  expect((await sent(hook)).map(({ state }) => state)).toEqual(['waiting'])
  await lab.as('webhook.update', { webhook: hook.id, active: true })
  await until('it is sent', () => heard.length === 1)
  await lab.as('webhook.delete', { webhook: hook.id })
  await commit('lab')
  expect(heard).toHaveLength(1)
})
