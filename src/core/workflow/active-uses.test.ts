import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../test/support/app.ts'
import { documentOf, trigger } from './job/workflow.suite.ts'
import type { Person, TestApp } from '../../../test/support/app.ts'
import type { JsonObject } from '../kernel/json.ts'

let app: TestApp
let ann: Person
let ben: Person
beforeAll(async () => {
  app = await openApp()
  ;[ann, ben] = [await app.person('ann'), await app.person('ben')]
  for (const { name } of [ann, ben])
    await app.system('grant.set', { to: `user:${name}`, on: 'system:system', level: 'none', extras: ['connection.modify', 'workflow.modify'] })
})
afterAll(() => app.close())

let count = 0
const next = (what: string) => `${what} ${++count}`

async function workflowOf(steps: readonly JsonObject[], start: JsonObject = trigger): Promise<{ id: string; name: string }> {
  const name = next('uses it')
  const ids = [start, ...steps].map(({ id }) => String(id))
  const { id } = await ann.ok('workflow.create', {
    document: documentOf({ name, steps: [start, ...steps], paths: ids.map((from, at) => `${from}>${ids[at + 1] ?? ''}`) }),
  })
  await ann.ok('workflow.activate', { workflow: id })
  return { id, name }
}

async function connection(): Promise<{ id: string; serial: number; name: string }> {
  const plugin = { plugin_vendor: 'capstan', plugin_name: 'mail', plugin_version: '1.0.0' }
  const made = await ann.ok('connection.create', { name: next('post office'), ...plugin, parameters: { host: 'mail.test', from: 'a@b.test' } })
  await ann.ok('grant.set', { to: 'user:ben', on: `connection:${made.id}`, level: 'write' })
  return made
}

const sends = (reference: number | string, more: JsonObject = {}): JsonObject => ({
  id: 'send',
  type: 'action',
  parameters: {
    ...{ plugin_vendor: 'capstan', plugin_name: 'mail', plugin_version: '1.0.0', step_id: 'send' },
    connection: typeof reference === 'number' ? { connection_id: reference } : { name: reference },
    input: { to: ['a@b.test'], subject: 's', text: 't' },
  },
  ...more,
})

const looksUp = (reference: string): JsonObject => ({
  id: 'look',
  type: 'helpers',
  parameters: { helperIdentifier: 'lookup_global_artifacts', globalArtifact: reference, expressionText: "'value' = 'a'" },
})

async function refused(who: Person, operation: string, input: JsonObject): Promise<string> {
  const { status, json } = await who.call(operation, input)
  expect(json).toMatchObject({ error: { code: 'in_use' } })
  expect(status).toBe(409)
  return json.error.message
}

describe('a connection that an active workflow uses is not deleted, and who asks is told which workflow that is', () => {
  test.each(['serial', 'name', 'id'] as const)('when its steps name it by its %s', async (by) => {
    const made = await connection()
    const workflow = await workflowOf([sends(made[by])])
    expect(await refused(ann, 'connection.delete', { connection: made.id })).toContain(`the active workflow "${workflow.name}"`)
    // It is as it was.
    expect((await ann.ok('connection.get', { connection: made.id })).parameters).toMatchObject({ host: 'mail.test' })
    const other = await workflowOf([sends(made[by])])
    expect(await refused(ann, 'connection.delete', { connection: made.id })).toContain('and 1 more')
    for (const { id } of [workflow, other]) await ann.ok('workflow.deactivate', { workflow: id })
    await ann.ok('connection.delete', { connection: made.id })
  })

  test('but not to whom the workflow is hidden', async () => {
    const made = await connection()
    const { id, name } = await workflowOf([sends(made.serial)])
    const message = await refused(ben, 'connection.delete', { connection: made.id })
    expect(message).toContain('that you may not see')
    expect(message).not.toContain(name)
    await ann.ok('grant.set', { to: 'user:ben', on: `workflow:${id}`, level: 'read' })
    expect(await refused(ben, 'connection.delete', { connection: made.id })).toContain(name)
  })

  test('unless only drafts, steps that are switched off or deleted workflows name it', async () => {
    const made = await connection()
    await workflowOf([sends(made.serial, { is_disabled: true })])
    await ann.ok('workflow.create', {
      document: documentOf({ name: next('draft'), steps: [trigger, sends(made.serial)], paths: ['start>send', 'send>'] }),
    })
    const gone = await workflowOf([sends(made.serial)])
    await ann.ok('workflow.deactivate', { workflow: gone.id })
    await ann.ok('workflow.delete', { workflow: gone.id })
    await ann.ok('connection.delete', { connection: made.id })
  })

  test('when a trigger of a plugin names it that starts an active workflow', async () => {
    const made = await connection()
    const plugin = { plugin_vendor: 'capstan', plugin_name: 'mail', plugin_version: '1.0.0', trigger_name: 'none', connection_id: made.serial }
    const { id } = await ann.ok('trigger.create', { name: next('arrives'), type: 'plugin', ...plugin, input: {} })
    // Bound by hand: no plugin with such a trigger is installed here.
    const workflow = await workflowOf([])
    await app.services.store.write(({ workflowTriggers }) => workflowTriggers.bind(workflow.id, id))
    expect(await refused(ann, 'connection.delete', { connection: made.id })).toContain(workflow.name)
    await ann.ok('workflow.deactivate', { workflow: workflow.id })
    await ann.ok('connection.delete', { connection: made.id })
  })
})

describe('a shared list that an active workflow uses is not deleted', () => {
  test.each(['name', 'id'] as const)('when its steps name it by its %s', async (by) => {
    const made = await ann.ok('artifact.create', { name: next('blocked') })
    await ann.ok('artifact.append', { artifact: made.id, value: { value: 'a' } })
    const workflow = await workflowOf([looksUp(made[by])])
    expect(await refused(ann, 'artifact.delete', { artifact: made.id })).toContain(
      `The shared list "${made.name}" is still used by the active workflow "${workflow.name}"`,
    )
    expect((await ann.ok('artifact.list-entities', { artifact: made.id })).items).toHaveLength(1)
    await ann.ok('workflow.deactivate', { workflow: workflow.id })
    await ann.ok('artifact.delete', { artifact: made.id })
  })
})
