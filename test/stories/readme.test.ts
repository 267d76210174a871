import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ran } from '../support/programs.ts'
import { adminName, adminPassword, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// What README.md says to type next is typed, as it stands: only the port is another one.

const root = join(import.meta.dirname, '..', '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const block = /<!-- story: test\/stories\/readme\.test\.ts [^\n]*-->\n```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''

let server: Server
beforeAll(async () => {
  server = await startServer({ environment: { CAPSTAN_SAMPLE: 'true' } })
})
afterAll(() => server?.close())

const here = (text: string) => text.replaceAll('127.0.0.1:9120', `127.0.0.1:${server.port}`)

test('the lines of "What to type next" do what they say', async () => {
  expect(block).not.toBe('')
  // The administrator of the README is the one that it tells the reader to make.
  expect(readme).toContain(`CAPSTAN_ADMIN_NAME=${adminName} CAPSTAN_ADMIN_PASSWORD='${adminPassword}'`)
  const { code, out, err } = await ran(['bash', '-e', '-o', 'pipefail'], { cwd: server.folder, input: here(block), env: { HOME: server.folder } })
  expect(code, out + err).toBe(0)
  const answers = out.split('\n')
  expect(answers.find((line) => line.includes('"clone_url"'))).toContain('"path":"weather"')
  for (const line of ['reading 1', 'reading 2', 'reading 3']) expect(out).toContain(`"text":"${line}`)
  expect(out).toMatch(/event: end/)
  // The last line is the state of the task, of the sort that means success in the Deploy API.
  const state = JSON.parse(out.slice(out.lastIndexOf('\n{') + 1)) as { state?: string }
  expect(state.state?.toLowerCase()).toMatch(/succeeded|completed|successful/)
})

test('the same from the command line', async () => {
  // What `npx capstan` runs when the package is built, from its sources.
  const capstan = (args: readonly string[], input = '') =>
    ran([process.execPath, join(root, 'src', 'main.ts'), ...args], { cwd: server.folder, input, env: { HOME: server.folder } })
  const commands = [...readme.matchAll(/`npx capstan ([^`]+)`/g)].map(([, command = '']) => command)
  expect(commands).toEqual(expect.arrayContaining(['login $URL', 'repository create weather', 'run list', 'run log $ID --follow', '--help']))
  expect(await capstan(['login', server.url, '--user', adminName], `${adminPassword}\n`)).toMatchObject({ code: 0 })
  // `weather` is there already: the block above made it.
  const made = await capstan(['repository', 'create', 'climate'])
  expect(made, made.err).toMatchObject({ code: 0, out: expect.stringContaining('climate') })
  const runs = await capstan(['run', 'list', '--json'])
  expect(runs.code, runs.err).toBe(0)
  const { items } = JSON.parse(runs.out) as { items: { id: string; name: string }[] }
  const fetched = items.find(({ name }) => name === 'fetch')
  const log = await capstan(['run', 'log', fetched?.id ?? '', '--follow'])
  expect(log, log.err).toMatchObject({ code: 0, out: 'reading 1\nreading 2\nreading 3\n' })
  expect((await capstan(['--help'])).out).toContain('repository')
})

test('the sample is there and its task has been run once', async () => {
  const runs = async () => (await server.admin.ok('run.list', { namespace: 'sample' })).items as { state: string }[]
  await until('the run of the sample has ended', async () => (await runs()).some(({ state }) => state === 'succeeded'))
  expect((await runs()).map(({ state }) => state)).toEqual(['succeeded'])
})
