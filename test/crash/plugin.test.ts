import { mkdirSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processesWith } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// The story: a step has called a plugin in http mode, and nobody knows yet whether the plugin acted when the server is killed. In command line mode it is
// never in doubt: `plugin-recovered.test.ts`.

let server: Server
const mark = randomBytes(8).toString('hex')

// The first call with a name never ends; each later one tells how many there were.
const entry = `#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const act = (text, answer) => {
  const file = '/var/cache/' + JSON.parse(text).body.input.name
  appendFileSync(file, '.')
  const calls = readFileSync(file).length
  if (calls === 1) return spawn('sleep', ['600'], { env: { PATH: process.env.PATH, MARK: '${mark}' } })
  answer(JSON.stringify({ version: 'v1', type: 'action_event', body: { status: 'ok', log: '', meta: {}, output: { calls } } }))
}
const { bind } = JSON.parse(readFileSync(process.env.GUNICORN_CONFIG_FILE, 'utf8'))
createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => (text += chunk)).on('end', () => (text === '' ? response.end('{}') : act(text, (answer) => response.end(answer))))
}).listen(bind.startsWith('unix:') ? bind.slice(5) : 10001)
`
const spec = `name: warm
vendor: test
version: 1.0.0
enable_cache: true
actions:
  act: { input: { name: { type: string, required: true } } }
  ask: { on_interrupt: repeat, input: { name: { type: string, required: true } } }
`

beforeAll(async () => {
  server = await startServer()
  const folder = join(server.data, 'plugins', 'warm')
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'bin/icon_warm'), entry, { mode: 0o755 })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'plugin.spec.yaml'), spec)
  const installed = await server.admin.call('plugin.install', { path: 'warm', mode: 'warm' })
  expect(installed.status, installed.text).toBe(200)
})
afterAll(() => server?.close())

async function start(action: string, name: string, more: object): Promise<string> {
  const about = { plugin_vendor: 'test', plugin_name: 'warm', plugin_version: '1.0.0', step_id: action }
  const steps = [
    { id: 'start', name: 'start', type: 'api_trigger', parent_id: '', parameters: {} },
    { id: 'act', name: 'act', type: 'action', parent_id: '', parameters: { ...about, input: { name }, ...more } },
  ]
  const document = { name, steps, paths: [{ id: 'p', from_step: 'start', to_step: 'act', name: '' }] }
  const { id } = (await server.admin.call('workflow.create', { document })).json
  await server.admin.call('workflow.activate', { workflow: id })
  return (await server.admin.call('workflow.run', { workflow: id, message: {} })).json.id
}

type Row = readonly [what: string, action: string, parameters: object, again: boolean]
const rows: readonly Row[] = [
  ['nobody said that it may be', 'act', {}, false],
  ['the step says that it may be', 'act', { on_interrupt: 'repeat' }, true],
  ['its type says that it may be', 'ask', {}, true],
  ['its type says that it may be, and the step that it may not', 'ask', { on_interrupt: 'fail' }, false],
]

describe('a call of a plugin in http mode that is cut off by kill -9 is made again only where that may be', () => {
  const jobs = new Map<string, string>()

  beforeAll(async () => {
    for (const [at, [what, action, more]] of rows.entries()) jobs.set(what, await start(action, `name${at}`, more))
    await until('all calls are under way', () => processesWith(`MARK=${mark}`).length === jobs.size)
    await server.kill()
    await server.start()
  }, 60_000)

  const ended = (job: string) =>
    until('the job has ended', async () => {
      const { json } = await server.admin.call('job.get', { job })
      return json.ended_at === null ? null : json
    })

  test.each(rows)('%s', async (what, _action, _more, again) => {
    const job = await ended(jobs.get(what) ?? '')
    if (again) return expect(job).toMatchObject({ status: 'succeeded', context: { data: { act: { calls: 2 } } } })
    expect(job).toMatchObject({ status: 'failed', failed_step: { name: 'act', message: expect.stringContaining('interrupted by a restart') } })
    expect(job.context.data.act).toEqual({ $success: false })
  })

  test('no process of an earlier server is left', () => expect(processesWith(`MARK=${mark}`)).toEqual([]))
})
