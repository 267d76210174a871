import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Server as HttpServer } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startCounter } from '../support/counter.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Counter } from '../support/counter.ts'
import type { Server } from '../support/server.ts'

type Post = { event: string; delivery: string; signature: string; text: string; body: Record<string, unknown> }

/** A receiver on a port of its own that can be down, and that can keep its answers back. */
async function startReceiver() {
  const posts: Post[] = []
  let server: HttpServer | null = null
  let port = 0
  const receiver = {
    posts,
    status: 200,
    get url() {
      return `http://127.0.0.1:${port}/hook`
    },
    async up() {
      server = createServer((request, response) => {
        let text = ''
        request.on('data', (chunk) => (text += chunk))
        request.on('end', () => {
          const { headers } = request
          const header = (name: string) => String(headers[`x-capstan-${name}`])
          const body = JSON.parse(text) as Record<string, unknown>
          posts.push({ event: header('event'), delivery: header('delivery'), signature: header('signature'), text, body })
          if (receiver.status > 0) response.writeHead(receiver.status).end('thanks')
        })
      })
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
      port = (server.address() as AddressInfo).port
    },
    async down() {
      server?.closeAllConnections()
      await new Promise((resolve) => server?.close(resolve))
    },
  }
  await receiver.up()
  return receiver
}

let server: Server
let receiver: Awaited<ReturnType<typeof startReceiver>>
let hook: { id: string; secret: string }
let counter: Counter

beforeAll(async () => {
  receiver = await startReceiver()
  counter = await startCounter()
  server = await startServer({ environment: { CAPSTAN_EGRESS_ALLOW: '127.0.0.1/32' } })
  await server.admin.ok('repository.create', { path: 'weather' })
  hook = await server.admin.ok('webhook.create', { repository: 'weather', url: receiver.url })
})
afterAll(async () => {
  await server?.close()
  await receiver?.down()
  await counter?.close()
})

async function push(text: string): Promise<void> {
  const { code, err } = await pushTree(gitUrl(server.url, 'weather', server.admin), { 'a.txt': text })
  expect(code, err).toBe(0)
}
const deliveries = async () => (await server.admin.ok('webhook.list-deliveries', { webhook: hook.id })).items

test('a push with git is posted, signed so that the secret proves it', async () => {
  await push('one')
  await until('it was posted', () => receiver.posts.length === 1)
  const [post] = receiver.posts as [Post]
  expect(post.signature).toBe(`sha256=${createHmac('sha256', hook.secret).update(post.text).digest('hex')}`)
  expect(post.body).toMatchObject({
    event: 'push',
    repository: { path: 'weather' },
    by: 'ann',
    push: { changes: [{ ref: 'refs/heads/master', from: null }] },
  })
})

test('a receiver that is down hears of it when it is up again', async () => {
  await receiver.down()
  await push('two')
  await until('the failure is on record', async () => (await deliveries())[0].error !== null)
  expect((await deliveries())[0]).toMatchObject({ state: 'waiting', status: null, error: 'The connection was refused' })
  await receiver.up()
  await until('it was posted', () => receiver.posts.length === 2, 30_000)
  await until('it is on record', async () => (await deliveries())[0].state === 'delivered')
})

test('what was delivered can be sent once more', async () => {
  const [before] = await deliveries()
  const again = await server.admin.ok('webhook.redeliver', { webhook: hook.id, delivery: before.id })
  await until('it was posted', () => receiver.posts.some(({ delivery }) => delivery === again.id))
  expect(receiver.posts.at(-1)?.body).toMatchObject({ redelivery_of: before.id, push: { count: 1 } })
})

test('a server that is killed while it posts, and right after a push, tells of everything after its start', async () => {
  receiver.status = 0
  const told = receiver.posts.length
  await push('three')
  await until('the post is under way', () => receiver.posts.length === told + 1)
  await push('four')
  await server.kill()
  receiver.status = 200
  await server.start()
  await until('both were told', async () => (await deliveries()).filter(({ state }: { state: string }) => state === 'delivered').length === 5)
  const late = receiver.posts.slice(told)
  // The one that was under way comes again under its id; the other comes once.
  expect(late.map(({ delivery }) => delivery)).toHaveLength(3)
  expect(new Set(late.map(({ delivery }) => delivery)).size).toBe(2)
})

test('the end of a task is told to the webhooks of the repository that it came from', async () => {
  await pushTree(gitUrl(server.url, 'weather', server.admin), shellTask('hello', 'echo hello'))
  const { id } = await server.admin.ok('task.deploy', { repository: 'weather', directory: 'hello', namespace: 'weather' })
  const post = await until('it was posted', () => receiver.posts.find(({ event }) => event === 'run'))
  expect(post.body).toMatchObject({ run: { id, state: 'succeeded', kind: 'task' }, repository: { path: 'weather' } })
})

test('the end of a task that came while the server was down, or that it had no time to tell of, is told after its start', async () => {
  const script = `${counter.gate('down')}\n${counter.hit('ended')}`
  await pushTree(gitUrl(server.url, 'weather', server.admin), shellTask('late', script))
  const { id } = await server.admin.ok('task.deploy', { repository: 'weather', directory: 'late', namespace: 'weather' })
  await until('it runs', () => counter.visits('down') === 1)
  await server.kill()
  counter.open('down')
  await until('it has ended', () => counter.visits('ended') === 1)
  await server.start()
  const told = () => receiver.posts.filter(({ event, body }) => event === 'run' && (body.run as { id: string }).id === id)
  await until('it was told', () => told().length > 0)
  // Ends that were told of are not told of again by what looks for missed ones.
  // One whose acknowledgement the kill took may come again, under its id.
  const runs = () => new Set(receiver.posts.filter(({ event }) => event === 'run').map(({ delivery }) => delivery)).size
  const before = runs()
  await server.kill()
  await server.start()
  await push('five')
  await until('a later event was told', () => receiver.posts.at(-1)?.event === 'push')
  expect(runs()).toBe(before)
})
