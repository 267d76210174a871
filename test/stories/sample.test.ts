import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ran } from '../support/programs.ts'
import { adminKey, freePort, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// Every line that examples/README.md and the README of the sample tell to type is typed, as it stands: only the ports are other ones.

const root = join(import.meta.dirname, '..', '..')
const guide = readFileSync(join(root, 'examples', 'README.md'), 'utf8')
const inside = readFileSync(join(root, 'examples', 'sample', 'README.md'), 'utf8')
const lines = [...guide.matchAll(/`(curl [^`]+)`/g)].map(([, line = '']) => line)
const starting = lines.filter((line) => /\/(deploy|runas)\//.test(line))
const ending = lines.filter((line) => line.includes('/v1/delete/'))

let server: Server
let gatewayPort: number
const answers = new Map<string, { id: string }>()
beforeAll(async () => {
  gatewayPort = await freePort()
  server = await startServer({ environment: { CAPSTAN_SAMPLE: 'true', CAPSTAN_GATEWAY_PORT: String(gatewayPort), CAPSTAN_UNSANDBOXED: 'allow' } })
  // The names of the first run and of what is typed must not meet: its end is waited for.
  await until('the first run has ended', async () => (await server.admin.ok('run.list', { active: false })).items.length > 0)
}, 60_000)
afterAll(() => server?.close(), 30_000)

async function typed(line: string): Promise<string> {
  const here = line.replaceAll('127.0.0.1:9120', `127.0.0.1:${server.port}`).replaceAll('127.0.0.1:9121', `127.0.0.1:${gatewayPort}`)
  const { code, out, err } = await ran(['bash', '-c', here], { env: { KEY: adminKey } })
  expect(code, err).toBe(0)
  return out
}

const capstan = (args: readonly string[]) =>
  ran([process.execPath, join(root, 'src', 'main.ts'), ...args], {
    cwd: server.folder,
    env: { HOME: server.folder, CAPSTAN_SERVER: server.url, CAPSTAN_TOKEN: adminKey },
  })

const directoryOf = (line: string) => /\/sample\/([a-z]+)/.exec(line)?.[1] ?? ''
const stateOf = async (line: string) => {
  const { id } = answers.get(directoryOf(line)) ?? { id: '' }
  const { state } = await server.admin.ok(
    line.includes('/pipeline/') ? 'pipeline.get' : 'task.get',
    line.includes('/pipeline/') ? { pipeline: id } : { task: id },
  )
  return state
}

test('there is a line for a job, a cron job, a web service, a deployment and both pipelines, and the README of the sample has the same ones', () => {
  expect(starting.map(directoryOf)).toEqual(['hello', 'hourly', 'web', 'ticker', 'report', 'rehearsal'])
  expect(ending.map(directoryOf)).toEqual(['hourly', 'web', 'ticker'])
  expect([...inside.matchAll(/^ {4}(curl .+)$/gm)].map(([, line]) => line)).toEqual(starting)
  // Whatever else it says to type is one of those below.
  expect(lines.filter((line) => !starting.includes(line) && !ending.includes(line))).toEqual([expect.stringContaining(':9121/sample/')])
})

test.each(starting)('%s', async (line) => {
  const answer = JSON.parse(await typed(line)) as { id: string; namespace: string }
  expect(answer.namespace).toBe('sample')
  answers.set(directoryOf(line), answer)
  const wanted: Record<string, string> = {
    hello: 'succeeded',
    hourly: 'scheduled',
    web: 'running',
    ticker: 'running',
    report: 'succeeded',
    rehearsal: 'failed',
  }
  await until(`${directoryOf(line)} is ${wanted[directoryOf(line)]}`, async () => (await stateOf(line)) === wanted[directoryOf(line)])
})

test('the web service answers at the gateway, by name and to nobody else', async () => {
  const [line = ''] = lines.filter((one) => one.includes(':9121'))
  expect(await typed(line)).toMatch(/^Hello, ann@example\.org! This is answer \d+ of this instance\.\n$/)
  expect((await fetch(`http://127.0.0.1:${gatewayPort}/sample/`)).status).toBe(401)
})

test('the key that the page makes is one', async () => {
  const [line = ''] = guide.match(/(?<=^ {4})export KEY=.*$/m) ?? []
  const here = line.replace('npx capstan', `"$NODE" "${join(root, 'src', 'main.ts')}"`)
  const env = { NODE: process.execPath, HOME: server.folder, CAPSTAN_SERVER: server.url, CAPSTAN_TOKEN: adminKey }
  const { out } = await ran(['bash', '-e', '-c', `${here}\ncurl -s -H "Authorization: Bearer $KEY" ${server.url}/v1/list/tasks/sample`], { env })
  expect(out).toContain('"hello')
})

test('the commands of the page do what it says', async () => {
  const commands = [...guide.matchAll(/`npx capstan ([^`]+)`/g)].map(([, command = '']) => command)
  expect(commands).toEqual([
    'login',
    'task logs <id> --follow',
    'task logs sample/ticker --follow',
    'pipeline watch <id>',
    'service open sample/web',
    'schedule list',
    'schedule suspend sample/hourly',
  ])
  const hello = answers.get('hello')?.id ?? ''
  expect(await capstan(['task', 'logs', hello, '--follow'])).toMatchObject({ code: 0, out: 'Hello from hello in the namespace sample (attempt 1)\n' })
  await until('both instances have told the time', async () => {
    const { out } = await capstan(['task', 'logs', 'sample/ticker'])
    return new Set(out.match(/^ticker-\w{5}(?= \| It is \d\d:\d\d:\d\d UTC$)/gm)).size === 2
  })
  expect(await capstan(['pipeline', 'watch', answers.get('report')?.id ?? ''])).toMatchObject({ code: 0 })
  expect(await capstan(['pipeline', 'watch', answers.get('rehearsal')?.id ?? ''])).toMatchObject({ code: 8 })
  expect(await capstan(['service', 'open', 'sample/web'])).toMatchObject({ code: 0, out: `http://127.0.0.1:${gatewayPort}/sample/\n` })
  expect((await capstan(['schedule', 'list'])).out).toMatch(/^sample\/hourly .* on .* UTC.* \(in \d+ (min|s)\)/m)
  expect((await capstan(['schedule', 'suspend', 'sample/hourly'])).code).toBe(0)
  expect((await capstan(['schedule', 'list'])).out).toMatch(/^sample\/hourly .* suspended/m)
}, 60_000)

test.each(ending)('%s', async (line) => {
  expect(JSON.parse(await typed(line))).toMatchObject({ namespace: 'sample', name: directoryOf(line), deleted: true })
})

test('after that nothing of it runs', async () => {
  await until('all has ended', async () => (await server.admin.ok('run.list', { active: true })).items.length === 0)
})
