import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCounter } from '../support/counter.ts'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { processesWith } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Counter } from '../support/counter.ts'
import type { Server } from '../support/server.ts'

// Tasks that write without end, close what they should write to, or multiply without end, beside one whose every line counts.

const limit = 64 * 1024
const written = 10 * 1024 * 1024 * 1024
const lines = Array.from({ length: 300 }, (_, at) => `line ${at + 1}`)
const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

let server: Server
let counter: Counter

beforeAll(async () => {
  counter = await startCounter()
  server = await startServer({ environment: { CAPSTAN_LIMITS_OUTPUT_BYTES: String(limit) } })
  await server.admin.ok('repository.create', { path: 'flood' })
  const grace = { 'termination-grace-seconds': 1 }
  const tree = Object.assign(
    {},
    shellTask('flood', 'exec dd if=/dev/zero bs=1M count=10240'),
    shellTask('lines', 'n=0; while [ $n -lt 300 ]; do n=$((n+1)); echo "line $n"; sleep 0.01; done'),
    shellTask('silent', `echo before\nexec >&- 2>&-\necho lost\n${counter.gate('silent')}\nexit 5`),
    shellTask('parent', 'sleep 600 &\necho last'),
    shellTask('swarm', `trap '' TERM HUP INT\n${counter.hit('swarm')}\nf() { while :; do (f) & sleep 0.1; done; }\nf`, grace),
  )
  const { code, err } = await pushTree(gitUrl(server.url, 'flood', server.admin), tree)
  if (code !== 0) throw new Error(err)
})
afterAll(async () => {
  await server?.close()
  await counter?.close()
}, 30_000)

const deploy = async (directory: string) => (await server.admin.ok('task.deploy', { repository: 'flood', directory })).id as string
const get = (run: string) => server.admin.ok('run.get', { run })
const hasEnded = (run: string) =>
  until(
    `${run} has ended`,
    async () => {
      const found = await get(run)
      return ends.includes(found.state) ? found : null
    },
    40_000,
  )
const logOf = async (run: string) => (await server.admin.get(`/api/v1/runs/${run}/log`)).text
const processes = (run: string) => processesWith(`DEPLOY_TASK_ID=${run}`)

/** Bytes of all files below a folder, without following links; those that go meanwhile are none. */
function sizeOf(folder: string): number {
  try {
    const sizes = readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? sizeOf(path) : (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0)
    })
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch {
    return 0
  }
}

test('10 GiB of output take no more disk than the limit, are counted, and leave the log of the one beside whole', async () => {
  const before = sizeOf(server.data)
  const [loud, small] = await Promise.all([deploy('flood'), deploy('lines')])
  let largest = 0
  const ended = hasEnded(loud)
  let going = true
  const watching = (async () => {
    while (going) {
      largest = Math.max(largest, sizeOf(server.data))
      expect((await server.nobody.get('/healthz')).status).toBe(200)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })()
  const { state } = await ended.finally(() => (going = false))
  await watching
  expect(state).toBe('succeeded')
  // The driver's copy and the log, and what the store writes meanwhile.
  expect(largest - before).toBeGreaterThan(limit)
  expect(largest - before).toBeLessThan(2 * limit + 8 * 1024 * 1024)
  const text = await logOf(loud)
  expect(text.length).toBeLessThan(limit + 1000)
  const [, missing] = /at least (\d+) more bytes/.exec(text) ?? []
  expect(Number(missing)).toBeGreaterThan(written - limit - 256 * 1024)
  expect((await hasEnded(small)).state).toBe('succeeded')
  expect((await logOf(small)).trimEnd().split('\n')).toEqual(lines)
}, 60_000)

test('a task that closes its output goes on, and its end is told', async () => {
  const run = await deploy('silent')
  await until('it is past that', () => counter.visits('silent') === 1)
  expect((await get(run)).state).toBe('running')
  await until('what it wrote before is read', async () => (await logOf(run)) === 'before\n')
  counter.open('silent')
  const { state, steps } = await hasEnded(run)
  expect([state, steps[0].exit_code]).toEqual(['failed', 5])
  expect(await logOf(run)).toBe('before\n')
})

test('a task that leaves somebody behind who holds its output ends with its own end', async () => {
  const run = await deploy('parent')
  expect((await hasEnded(run)).state).toBe('succeeded')
  expect(await logOf(run)).toBe('last\n')
  expect(processes(run)).toEqual([])
})

test('a task that multiplies without end and is deaf hurts nobody, and nothing is left of it when it is told to go', async () => {
  const swarm = await deploy('swarm')
  await until('it multiplies', () => counter.visits('swarm') === 1 && processes(swarm).length > 50)
  const at = Date.now()
  const small = await deploy('lines')
  expect((await hasEnded(small)).state).toBe('succeeded')
  expect((await logOf(small)).trimEnd().split('\n')).toEqual(lines)
  expect(Date.now() - at).toBeLessThan(20_000)
  await server.admin.ok('run.cancel', { run: swarm })
  expect(['cancelled', 'failed']).toContain((await hasEnded(swarm)).state)
  expect(processes(swarm)).toEqual([])
}, 60_000)
