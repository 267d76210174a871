import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

const kills = 6
const secret = 'a secret of 20 letters'

let server: Server
beforeAll(async () => {
  server = await startServer()
  await server.admin.ok('repository.create', { path: 'lab', default_branch: 'main' })
})
afterAll(() => server?.close())

async function bound(name: string, settings: object): Promise<{ trigger: string; workflow: string }> {
  const { id: trigger } = await server.admin.ok('trigger.create', { name, ...settings })
  const steps = [{ id: 'start', name: 'start', type: 'api_trigger', parameters: { trigger_config_id: trigger } }]
  const { id: workflow } = await server.admin.ok('workflow.create', { document: { name, steps, paths: [] } })
  await server.admin.ok('workflow.activate', { workflow })
  return { trigger, workflow }
}

async function allOf(operation: string, input: object): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = []
  let cursor: string | null = null
  do {
    const page = await server.admin.ok(operation, { ...input, limit: 500, ...(cursor === null ? {} : { cursor }) })
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return items
}

const post = (trigger: string, number: number) => {
  const body = JSON.stringify({ number })
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`
  return server.nobody.call('trigger.receive-webhook', { trigger, body, timestamp, signature })
}

test('whenever the server is killed, each push and each event that was accepted starts one job', { timeout: 180_000 }, async () => {
  const pushes = await bound('pushed', { type: 'push', repository: 'lab' })
  const posts = await bound('posted', { type: 'webhook', secret })
  const accepted: number[] = []
  let sent = 0
  let going = true
  const send = async (work: () => Promise<unknown>) => {
    // A server that is away refuses the connection: that is no answer, and comes again.
    while (going) await work().catch(() => new Promise((resolve) => setTimeout(resolve, 20)))
  }
  const senders = [
    send(async () => {
      const number = ++sent
      if ((await post(posts.trigger, number)).status === 200) accepted.push(number)
    }),
    send(async () => {
      const number = ++sent
      if ((await post(posts.trigger, number)).status === 200) accepted.push(number)
    }),
    send(async () => {
      const text = String(++sent)
      const reply = await server.admin.call('repository.commit-files', {
        repository: 'lab',
        branch: 'main',
        message: text,
        files: [{ path: 'x', text }],
      })
      if (reply.status !== 200) throw new Error(reply.text)
    }),
  ]
  for (let kill = 0; kill < kills; kill++) {
    const before = accepted.length
    await until('some were accepted since', () => accepted.length > before + 5)
    await server.kill()
    await server.start()
  }
  going = false
  await Promise.all(senders)

  const waiting = async ({ trigger }: { trigger: string }) =>
    (await allOf('trigger.list-events', { trigger })).some(({ state }) => state === 'waiting')
  await until('nothing waits any more', async () => !(await waiting(pushes)) && !(await waiting(posts)), 120_000)

  const events = await allOf('trigger.list-events', { trigger: posts.trigger })
  const jobs = await allOf('job.list', { workflow: posts.workflow })
  expect(events.every(({ state }) => state === 'started')).toBe(true)
  expect(new Set(events.map(({ job }) => job)).size).toBe(events.length)
  expect(jobs.map(({ id }) => id).sort()).toEqual(events.map(({ job }) => job).sort())
  expect(events.length).toBeGreaterThanOrEqual(accepted.length)
  expect(events.length).toBeLessThanOrEqual(sent)
  expect(accepted.length).toBeGreaterThan(5 * kills)

  const made = (await allOf('repository.list-pushes', { repository: 'lab' })).filter(({ state }) => state === 'done')
  const started = await allOf('trigger.list-events', { trigger: pushes.trigger })
  expect(started.map(({ id }) => String(id).split('.')[1]).sort()).toEqual(made.map(({ id }) => String(id)).sort())
  const ofPushes = await allOf('job.list', { workflow: pushes.workflow })
  expect(ofPushes.map(({ id }) => id).sort()).toEqual(started.map(({ job }) => job).sort())
  expect(made.length).toBeGreaterThan(kills)
})
