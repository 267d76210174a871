import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCounter } from '../support/counter.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Counter } from '../support/counter.ts'
import type { Server } from '../support/server.ts'

// The real program is killed around the slot of a cron job, again and again: each slot is fired at most once, and the one that was due is fired.
let server: Server
let counter: Counter

beforeAll(async () => {
  counter = await startCounter()
  server = await startServer()
})
afterAll(async () => {
  await server?.close()
  await counter?.close()
})

const minute = 60_000

/** Writes into the store of the server that is down when its cron jobs are due, as if it had been down for that long. */
function dueSince(minutes: number): void {
  const db = new DatabaseSync(join(server.data, 'capstan.db'))
  const now = Date.now()
  const next = now - (now % minute) - minutes * minute
  db.prepare('update schedule set next_at = ?').run(next)
  db.close()
}

test('kill -9 around a slot fires it once', async () => {
  await server.admin.ok('namespace.create', { namespace: 'crash-cron' })
  const names = Array.from({ length: 5 }, (_, at) => `often-${at}`)
  for (const name of names) {
    // What counts is called after the job, whose name is made of the slot.
    const cmd = ['/bin/sh', '-c', counter.hit('"$DEPLOY_TASK_NAME"')]
    await server.admin.ok('task.deploy', { namespace: 'crash-cron', configuration: { type: 'job', name, cmd, schedule: '* * * * *' } })
  }
  const visited = new Map<string, number>()
  for (let round = 0; round < 2; round++) {
    await server.kill()
    dueSince(5)
    const slots = [Math.floor(Date.now() / minute), Math.floor(Date.now() / minute) + 1]
    // Killed while it fires: it begins with that as soon as it listens.
    for (let kill = 0; kill < 2; kill++) {
      const starting = server.start().catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 700))
      await server.kill()
      await starting
    }
    await server.start()
    await until('the slot was fired', () => names.every((name) => slots.some((slot) => counter.visits(`${name}-${slot}`) > 0)), 30_000)
    await until('nothing runs', async () => (await server.admin.ok('run.list', { active: true })).items.length === 0, 30_000)
    const { items } = await server.admin.ok('run.list', { namespace: 'crash-cron', limit: 1000 })
    for (const { name, state } of items) {
      visited.set(name, counter.visits(name))
      expect([name, state]).toEqual([name, 'succeeded'])
    }
    expect(new Set(items.map(({ name }: { name: string }) => name)).size).toBe(items.length)
  }
  expect([...visited].filter(([, visits]) => visits !== 1)).toEqual([])
}, 120_000)
