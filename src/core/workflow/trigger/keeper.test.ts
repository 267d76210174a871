import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { documentOf } from '../job/workflow.suite.ts'
import { TriggerKeeper } from './keeper.ts'
import type { TestApp } from '../../../../test/support/app.ts'

const samples = join(import.meta.dirname, '../../../../examples/plugins')

let app: TestApp
beforeAll(async () => {
  app = await openApp()
  await cp(join(samples, 'units'), join(app.folder, 'data/plugins/units'), { recursive: true })
  await app.system('plugin.install', { path: 'units' })
})
afterAll(() => app.close())

// Answers as plugins in Go do, and sends what it was told as its event.
const told = `#!/bin/sh
message=$(cat)
url=$(printf %s "$message" | sed 's/.*"url":"\\([^"]*\\)".*/\\1/')
printf '{"version":"v1","type":"trigger_event","body":{"id":0,"output":{"told":%s},"error":"","string":"told","status":"ok","meta":{}}}' "$message" >"$TMPDIR/event"
curl -sS -H 'content-type: application/json' --data-binary "@$TMPDIR/event" "$url" >&2
`

const plugin = { type: 'plugin', plugin_vendor: 'example', plugin_name: 'units', plugin_version: '1.0.0', trigger_name: 'count' }

async function bound(input: object, other: object = {}) {
  const who = await app.person(`owner${Math.random().toString(36).slice(2, 8)}`, { administrator: true })
  const { id: trigger } = await who.ok('trigger.create', { name: 'counts', ...plugin, ...other, input })
  const start = { id: 'start', type: 'api_trigger', parameters: { trigger_config_id: trigger } }
  const { id: workflow } = await who.ok('workflow.create', { document: documentOf({ name: `counts ${trigger}`, steps: [start], paths: [] }) })
  await who.ok('workflow.activate', { workflow })
  return { trigger: trigger as string, workflow: workflow as string }
}

const messagesOf = async (workflow: string) => {
  const { items } = await app.services.store.reader.runs.page({ kinds: ['workflow'], resourceId: workflow }, null, 'newest', {
    limit: 100,
    after: null,
  })
  return items.map(({ input }) => (input as { message: { number: number } }).message)
}
const numbersOf = async (workflow: string) => (await messagesOf(workflow)).map(({ number }) => number).sort()

test('a trigger that ends is started again, and rests when its workflow does', { timeout: 60_000 }, async () => {
  const { trigger, workflow } = await bound({ to: 2, pause: 0 })
  await until('it counted twice', async () => (await numbersOf(workflow)).length >= 4)
  expect((await numbersOf(workflow)).slice(0, 4)).toEqual([1, 1, 2, 2])
  await until('it is noted why it ended', async () => (await app.system('trigger.get', { trigger })).last_error)
  await app.system('workflow.deactivate', { workflow })
  const free = () => app.services.store.write((db) => db.triggerKeepers.claim(trigger, 'another', Date.now(), Date.now() + 1))
  await until('it is let go of', free)
})

test('a trigger is told where it stands, with nothing that is null', { timeout: 60_000 }, async () => {
  const folder = join(app.folder, 'data/plugins/told')
  await mkdir(join(folder, 'bin'), { recursive: true })
  await writeFile(join(folder, 'bin/komand_told'), told, { mode: 0o755 })
  await writeFile(
    join(folder, 'plugin.spec.yaml'),
    'name: told\nvendor: example\nversion: 1.0.0\ntriggers:\n  tell: { title: Tell, output: { told: { type: object } } }\n',
  )
  await app.system('plugin.install', { path: 'told' })
  const { trigger, workflow } = await bound({}, { plugin_name: 'told', trigger_name: 'tell' })
  await until('it has told', async () => (await messagesOf(workflow)).length > 0)
  const { active_version: version } = await app.system('workflow.get', { workflow })
  expect((await messagesOf(workflow))[0]).toEqual({
    told: {
      ...{ version: 'v1', type: 'trigger_start' },
      body: {
        ...{ trigger: 'tell', connection: {}, input: {} },
        meta: { workflow_uid: workflow, workflow_version_uid: version, step_uid: 'start', trigger_config_id: trigger },
        dispatcher: { url: expect.stringMatching(/^http:/), webhook_url: '' },
      },
    },
  })
  await app.system('workflow.deactivate', { workflow })
})

test('of two servers one keeps a trigger, and the other takes it when that one is gone', { timeout: 60_000 }, async () => {
  const { services } = app
  const { trigger, workflow } = await bound({ to: 1, pause: 0 })
  await until('this server keeps it', async () => (await numbersOf(workflow)).length > 0)
  const now = Date.now()
  const claim = (owner: string, at: number) => services.store.write((db) => db.triggerKeepers.claim(trigger, owner, at, at + 30_000))
  expect(await claim('other', now)).toBe(false)
  // Nobody has renewed it for longer than it is held, by the clock of the other server.
  expect(await claim('other', now + 61_000)).toBe(true)
  const other = new TriggerKeeper({ services: () => services, server: { id: 'third', shared: true } })
  await other.look()
  await other.close()
  expect(await claim('other', now + 62_000)).toBe(true)
  await app.system('workflow.deactivate', { workflow })
})
