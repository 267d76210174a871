import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { artifact, documentOf } from '../job/workflow.suite.ts'
import { queuePluginEvent } from './plugin-event.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'

vi.setConfig({ testTimeout: 60_000 })

let app: TestApp
let ann: Person
let ben: Person
beforeAll(async () => {
  app = await openApp()
  ann = await app.person('ann')
  ben = await app.person('ben')
  const extras = ['workflow.modify', 'connection.modify']
  for (const name of ['ann', 'ben']) await app.system('grant.set', { to: `user:${name}`, on: 'system:system', level: 'none', extras })
})
afterAll(() => app.close())

let count = 0

async function draft(who: Person, trigger: string, more: JsonObject = {}, type = 'api_trigger'): Promise<string> {
  const start = { id: 'start', type, parameters: { trigger_config_id: trigger } }
  const parts = { name: `bound ${++count}`, steps: [start, artifact('A', 'x')], paths: ['start>A', 'A>'] }
  return (await who.ok('workflow.create', { document: { ...documentOf(parts), ...more } })).id as string
}

const findings = async (who: Person, workflow: string) => {
  const { status, json } = await who.call('workflow.activate', { workflow })
  return status === 200 ? [] : (json.error.details.findings as { message: string }[]).map(({ message }) => message)
}
const trigger = async (who: Person, more: JsonObject) => (await who.ok('trigger.create', { name: `trigger ${++count}`, ...more })).id as string

test('the id of a trigger is no leave to hear of what it notices: who is bound must see it', async () => {
  const id = await trigger(ann, { type: 'webhook' })
  const own = await draft(ann, id)
  expect(await findings(ann, own)).toEqual([])
  const foreign = await draft(ben, id)
  expect(await findings(ben, foreign)).toEqual([`there is no trigger "${id}" that you may see`])
  expect((await ben.ok('workflow.validate', { workflow: foreign })).valid).toBe(false)
  expect((await ben.call('trigger.get', { trigger: id })).status).toBe(404)
  await ann.ok('grant.set', { to: 'user:ben', on: `workflow:${own}`, level: 'read' })
  expect(await findings(ben, foreign)).toEqual([])
})

test('a trigger that could never fire is found before a workflow that waits for it is active', async () => {
  const named = `11111111-2222-4333-8444-5555555${String(++count).padStart(5, '0')}`
  expect(await findings(ann, await draft(ann, named, {}, 'trigger'))).toEqual([`there is no trigger "${named}" that you may see`])
  const brought = async (settings: JsonObject) => {
    const workflow = await draft(ann, 'of-file', { triggers: [{ id: 'of-file', name: 'of a file', ...settings }] })
    return findings(ann, workflow)
  }
  expect(await brought({ type: 'webhook' })).toEqual(['the trigger "of a file": it has no secret; give it one with trigger.update'])
  expect((await brought({ type: 'cron', schedule: '0 0 31 2 *' })).join()).toContain('it never comes')
  expect((await brought({ type: 'timer', trigger_name: 'hourly', input: {} })).join()).toContain('"minute" is no whole number from 0 to 59')
  expect((await brought({ type: 'push', repository: 'not/here' })).join()).toContain('no repository "not/here" that you may see')
  const plugin = { type: 'plugin', plugin_vendor: 'lab', plugin_name: 'none', plugin_version: '1.0.0', trigger_name: 'tick' }
  expect((await brought(plugin)).join()).toContain('the plugin lab/none 1.0.0 is not installed')
})

test.each<readonly [JsonObject, RegExp]>([
  [{ type: 'timer', trigger_name: 'hourly', input: {} }, /"minute" is no whole number/],
  [{ type: 'timer', trigger_name: 'monthly', input: {} }, /"day_of_month" is no whole number/],
  [{ type: 'timer', trigger_name: 'periodic', input: { message: 5 } }, /"message" is no text/],
  [{ type: 'run', states: ['done'] }, /\/states must be some of succeeded, failed/],
  [{ type: 'pull_request', actions: ['open'] }, /\/actions must be some of opened/],
])('%j is refused', async (settings, message) => {
  const { status, json } = await ann.call('trigger.create', { name: 'x', ...settings })
  expect([status, json.error.message]).toEqual([400, expect.stringMatching(message)])
})

test('ends of runs count for a trigger that a file brought, too', async () => {
  const watched = await draft(ann, '')
  const workflow = await draft(ann, 'of-file', {
    triggers: [{ id: 'of-file', name: 'of a file', type: 'run', run_name: (await ann.ok('workflow.get', { workflow: watched })).name }],
  })
  for (const id of [watched, workflow]) expect(await findings(ann, id)).toEqual([])
  await ann.ok('workflow.run', { workflow: watched })
  await until('the end of the job has started the other', async () => ((await ann.ok('job.list', { workflow })).items.length > 0 ? true : null))
})

test('a trigger is given a connection only by who may use it, and tells of it only those who may', async () => {
  const plugin = { plugin_vendor: 'lab', plugin_name: 'mailbox', plugin_version: '1.0.0' }
  const box = (await ann.ok('connection.create', { name: 'mailbox', ...plugin, parameters: { token: 'topsecret' } })).serial as number
  const settings = { type: 'plugin', ...plugin, trigger_name: 'letter' }
  const refused = await ben.call('trigger.create', { name: 'mine', ...settings, connection_id: box })
  expect([refused.status, refused.json.error.message]).toEqual([400, expect.stringContaining('/connection_id there is no connection')])
  const bens = await trigger(ben, settings)
  expect((await ben.call('trigger.update', { trigger: bens, connection_id: 'mailbox' })).status).toBe(400)

  const id = await trigger(ann, { ...settings, connection_id: box })
  const workflows = [await draft(ann, ''), await draft(ben, '')]
  for (const [index, workflow] of workflows.entries()) expect(await findings(index === 0 ? ann : ben, workflow)).toEqual([])
  const { store } = app.services
  await store.write(async ({ workflowTriggers }) => {
    for (const workflow of workflows) await workflowTriggers.bind(workflow, id)
  })
  const row = await store.reader.workflowTriggers.byId(id)
  if (!row) throw new Error('It was made')
  const event = (key: string) => ({ id: `plugin.${key}`, at: row.created_at, message: {}, cause: null })
  expect(await store.write((db) => queuePluginEvent(db, row, event('one')))).toMatchObject({ taken: 1 })
  await ann.ok('grant.set', { to: 'user:ben', on: 'connection:mailbox', level: 'execute' })
  expect(await store.write((db) => queuePluginEvent(db, row, event('two')))).toMatchObject({ taken: 2 })
})

test('a trigger that is sent nothing says what it is', async () => {
  const id = await trigger(ann, { type: 'webhook' })
  expect(await findings(ann, await draft(ann, id))).toEqual([])
  const { status, json } = await ann.call('trigger.send-event', { trigger: id })
  expect([status, json.error.message]).toEqual([409, expect.stringContaining('one of type webhook')])
})

test('a draft that has its trigger otherwise changes it when it is activated, unless the trigger was changed since', async () => {
  const parts = {
    name: `bound ${++count}`,
    steps: [{ id: 'start', type: 'trigger', parameters: { trigger_config_id: 'of-file' } }],
    paths: ['start>'],
  }
  const hours = (minute: number) => ({
    ...documentOf(parts),
    triggers: [{ id: 'of-file', name: 'every hour', type: 'timer', trigger_name: 'hourly', input: { minute } }],
  })
  const { id: workflow } = await ann.ok('workflow.create', { document: hours(5) })
  const minute = async () => {
    const { items } = await ann.ok('trigger.list', { limit: 100 })
    const own = items.find(({ name }: { name: string }) => name === 'every hour')
    return [own.settings.input.minute, own.id]
  }
  await ann.ok('workflow.update', { workflow, document: hours(6) })
  expect((await minute())[0]).toBe(6)
  expect(await findings(ann, workflow)).toEqual([])
  await ann.ok('workflow.update', { workflow, document: hours(7) })
  expect((await minute())[0]).toBe(6)
  expect(await findings(ann, workflow)).toEqual([])
  expect((await minute())[0]).toBe(7)
  await ann.ok('workflow.update', { workflow, document: hours(99) })
  expect((await findings(ann, workflow)).join()).toContain('"minute" is no whole number from 0 to 59')
  await ann.ok('trigger.update', { trigger: (await minute())[1], input: { minute: 8 } })
  expect(await findings(ann, workflow)).toEqual([])
  await ann.ok('workflow.deactivate', { workflow })
  expect(await findings(ann, workflow)).toEqual([])
  expect((await minute())[0]).toBe(8)
})
