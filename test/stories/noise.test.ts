import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// Tasks that shout, are deaf or multiply, beside one that only wants to do its work; and whoever reads along.

const limit = 64 * 1024
const written = 1_000_006
const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

let server: Server

beforeAll(async () => {
  server = await startServer({ environment: { CAPSTAN_LIMITS_OUTPUT_BYTES: String(limit) } })
  await server.admin.ok('repository.create', { path: 'noise' })
  const grace = { 'termination-grace-seconds': 1 }
  const tree = Object.assign(
    {},
    shellTask('clock', 'for i in 1 2 3 4 5 6 7 8 9 10 11; do date +%s%3N; sleep 0.15; done'),
    shellTask('loud', 'echo first; while :; do head -c 1000000 /dev/zero | tr "\\0" "x"; echo; sleep 0.1; done', grace),
    shellTask('deaf', "trap '' TERM INT HUP; echo deaf; while :; do sleep 1; done", grace),
    shellTask('many', 'echo many; n=0; while [ $n -lt 2000 ]; do (sleep 60) & n=$((n+1)); done; wait', grace),
    shellTask('quiet', 'echo done'),
    shellTask('much', 'head -c 1000000 /dev/zero | tr "\\0" "x"; echo; echo last'),
  )
  const { code, err } = await pushTree(gitUrl(server.url, 'noise', server.admin), tree)
  if (code !== 0) throw new Error(err)
})
afterAll(() => server?.close())

const deploy = async (directory: string, more: object = {}) =>
  (await server.admin.ok('task.deploy', { repository: 'noise', directory, ...more })).id as string
const stateOf = async (run: string) => (await server.admin.ok('run.get', { run })).state as string
const hasEnded = (run: string) => until(`${run} has ended`, async () => (ends.includes(await stateOf(run)) ? stateOf(run) : null))
const logOf = async (run: string) => (await server.admin.get(`/api/v1/runs/${run}/log`)).text

test('who follows a log reads each line within 200 ms of its writing', async () => {
  const run = await deploy('clock')
  const answer = await fetch(`${server.url}/api/v1/runs/${run}/log?follow=true`, { headers: { authorization: `Bearer ${server.admin.token}` } })
  const late: number[] = []
  for await (const chunk of answer.body ?? []) {
    const now = Date.now()
    for (const [, at] of Buffer.from(chunk)
      .toString()
      .matchAll(/(\d{13})\\n/g))
      late.push(now - Number(at))
  }
  expect(late).toHaveLength(11)
  // The middle one: a machine that does other things at the moment may hold up one line.
  expect(late.sort((a, b) => a - b)[5]).toBeLessThan(200)
})

test('a log ends at its limit, and says that and how much is missing', async () => {
  const run = await deploy('much')
  expect(await hasEnded(run)).toBe('succeeded')
  const text = await logOf(run)
  expect(text.length).toBeLessThan(limit + 1000)
  expect(text.length).toBeGreaterThanOrEqual(limit)
  const [, missing] = /^\[capstan: at least (\d+) more bytes of output were not kept\]$/m.exec(text) ?? []
  // What the driver's programs had in hand when the limit was reached is not counted: no more than a buffer.
  expect(Number(missing)).toBeLessThanOrEqual(written - limit)
  expect(Number(missing)).toBeGreaterThan(written - limit - 256 * 1024)
})

test('a task is not hurt by others that shout, are deaf or multiply; and they are gone when they are told to go', async () => {
  const noisy = [await deploy('loud'), await deploy('deaf'), await deploy('many')]
  await until('they run', async () => (await Promise.all(noisy.map(stateOf))).every((state) => state === 'running'))
  await until('they are at it', async () => (await Promise.all(noisy.map(logOf))).every((text) => text !== ''))
  for (let round = 0; round < 3; round++) {
    const at = Date.now()
    expect((await server.nobody.get('/healthz')).status).toBe(200)
    const run = await deploy('quiet')
    expect(await hasEnded(run)).toBe('succeeded')
    expect(Date.now() - at).toBeLessThan(5000)
    expect(await logOf(run)).toBe('done\n')
  }
  expect((await logOf(noisy[0] ?? '')).length).toBeLessThan(limit + 1000)
  await Promise.all(noisy.map((run) => server.admin.ok('run.cancel', { run })))
  const [loud, deaf, many] = await Promise.all(noisy.map(hasEnded))
  expect([loud, deaf]).toEqual(['cancelled', 'cancelled'])
  // The limit of processes may have ended it before it was told to go.
  expect(['cancelled', 'failed']).toContain(many)
}, 60_000)
