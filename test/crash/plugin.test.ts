import { mkdirSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { processesWith } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// The story: a step has called a plugin, and nobody knows yet whether the plugin acted when the server is killed.

let server: Server
const mark = randomBytes(8).toString('hex')

// The first call with a name never ends; each later one tells how many there were.
const entry = `#!/bin/sh
if [ "$1" = http ]; then exit 2; fi
name=$(sed -n 's/.*"name":"\\([a-z]*\\)".*/\\1/p')
echo once >>"/var/cache/$name"
calls=$(wc -l <"/var/cache/$name")
if [ "$calls" = 1 ]; then MARK=${mark} sleep 600; fi
printf '{"version":"v1","type":"action_event","body":{"status":"ok","log":"","meta":{},"output":{"calls":%d}}}' "$calls"
`

beforeAll(async () => {
  server = await startServer()
  const folder = join(server.data, 'plugins', 'slow')
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'bin/icon_slow'), entry, { mode: 0o755 })
  const spec =
    'name: slow\nvendor: test\nversion: 1.0.0\nenable_cache: true\nactions:\n  act: { input: { name: { type: string, required: true } } }\n'
  writeFileSync(join(folder, 'plugin.spec.yaml'), spec)
  const installed = await server.admin.call('plugin.install', { path: 'slow' })
  expect(installed.status, installed.text).toBe(200)
})
afterAll(() => server?.close())

async function start(name: string, more: object): Promise<string> {
  const about = { plugin_vendor: 'test', plugin_name: 'slow', plugin_version: '1.0.0', step_id: 'act' }
  const steps = [
    { id: 'start', name: 'start', type: 'api_trigger', parent_id: '', parameters: {} },
    { id: 'act', name: 'act', type: 'action', parent_id: '', parameters: { ...about, input: { name }, ...more } },
  ]
  const document = { name, steps, paths: [{ id: 'p', from_step: 'start', to_step: 'act', name: '' }] }
  const { id } = (await server.admin.call('workflow.create', { document })).json
  await server.admin.call('workflow.activate', { workflow: id })
  return (await server.admin.call('workflow.run', { workflow: id, message: {} })).json.id
}

test('a call of a plugin that is cut off by kill -9 is made again only where the step says that it may be, and no process of it is left', async () => {
  const [once, again] = [await start('once', {}), await start('again', { on_interrupt: 'repeat' })]
  await until('both calls are under way', () => processesWith(`MARK=${mark}`).length === 2)
  await server.kill()
  await server.start()
  const ended = (job: string) =>
    until('the job has ended', async () => {
      const { json } = await server.admin.call('job.get', { job })
      return json.ended_at === null ? null : json
    })
  expect(await ended(again)).toMatchObject({ status: 'succeeded', context: { data: { act: { calls: 2 } } } })
  const failed = await ended(once)
  expect(failed.status).toBe('failed')
  expect(JSON.stringify(failed)).toContain('interrupted by a restart')
  expect(processesWith(`MARK=${mark}`)).toEqual([])
})
