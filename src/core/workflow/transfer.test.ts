import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../test/support/app.ts'
import { artifact, documentOf, trigger } from './job/workflow.suite.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { TestApp } from '../../../test/support/app.ts'

describe('an export file that is imported', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await openApp()
  })
  afterAll(() => app.close())

  const count = async () => (await app.system('workflow.list', { limit: 1000 })).items.length
  const drawn = (name: string) => documentOf({ name, steps: [trigger, artifact('a', 'x')], paths: ['start>a'] })
  const fileOf = (...workflows: JsonObject[]) => ({ komand_version: '0.4.0', workflows })

  test('makes all of its workflows or none', async () => {
    const before = await count()
    const bad = fileOf(drawn('good one'), { ...drawn('bad one'), name: 'tab\u0009bed' }, drawn('good two'))
    await expect(app.system('workflow.import', { file: bad })).rejects.toMatchObject({ code: 'invalid_name' })
    const long = fileOf(drawn('good one'), drawn('n'.repeat(201)))
    await expect(app.system('workflow.import', { file: long })).rejects.toMatchObject({ code: 'invalid_name' })
    await expect(app.system('workflow.import', { file: fileOf(drawn('good one'), { ...drawn('x'), steps: {} }) })).rejects.toThrow(
      '"steps" of the workflow "x"',
    )
    expect(await count()).toBe(before)
  })

  test('goes on meaning a snippet that is in the same file, which has new ids here', async () => {
    const snippet = documentOf({ name: 'part', type: 'snippet', steps: [{ id: 'map', type: 'snippet_map' }, artifact('a', 'x')], paths: ['map>a'] })
    const whole = documentOf({
      name: 'whole',
      steps: [trigger, { id: 'sub', type: 'snippet', parameters: { workflow_uid: 'old-id' } }],
      paths: ['start>sub'],
    })
    const { items, warnings } = await app.system('workflow.import', { file: fileOf(whole, { ...snippet, workflow_id: 'old-id' }) })
    expect(warnings).toEqual(['whole, step "sub", workflow_uid: "part" of the same file has to be activated first'])
    const [made, part] = items
    expect(made.document.steps[1].parameters).toEqual({ workflow_uid: part.id })
    await app.system('workflow.activate', { workflow: part.id })
    expect(await app.system('workflow.activate', { workflow: made.id })).toMatchObject({ status: 'active' })
  })

  test('gets triggers of its own, which its workflows share as they do in the file', async () => {
    const starts = { ...trigger, parameters: { trigger_config_id: 'T' } }
    const bound = (name: string) => documentOf({ name, steps: [starts, artifact('a', 'x')], paths: ['start>a'] })
    const file = { ...fileOf(bound('first bound'), bound('second bound')), triggers: [{ id: 'T', name: 'T', type: 'api_trigger' }] }
    const { items } = await app.system('workflow.import', { file })
    const [first, second] = items
    expect(first.trigger.id).toBe(second.trigger.id)
    // An export that comes back is another workflow: an event for one of the two starts none of the other.
    const exported = await app.system('workflow.export', { workflow: first.id })
    const [again] = (await app.system('workflow.import', { file: exported.file })).items
    expect(again.trigger.id).not.toBe(first.trigger.id)
    expect(again.document.steps[0].parameters).toEqual({ trigger_config_id: again.trigger.id })
    for (const workflow of [first, second, again]) await app.system('workflow.activate', { workflow: workflow.id })
    expect(await app.system('trigger.send-event', { trigger: again.id })).toEqual({ events: 1 })
    expect(await app.system('trigger.send-event', { trigger: first.id })).toEqual({ events: 2 })
  })

  test('finds a free name also for one that is as long as names may be', async () => {
    const name = `${'n'.repeat(199)}ü`
    for (const expected of [name, `${'n'.repeat(196)} (2)`, `${'n'.repeat(196)} (3)`]) {
      expect((await app.system('workflow.import', { file: fileOf(drawn(name)) })).items[0].name).toBe(expected)
    }
  })
})
