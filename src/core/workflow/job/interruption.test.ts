import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { documentOf, trigger } from './workflow.suite.ts'
import type { TestApp } from '../../../../test/support/app.ts'
import type { Json } from '../../kernel/json.ts'

let app: TestApp
beforeAll(async () => {
  app = await openApp()
})
afterAll(() => app.close())

test('whether an action is done again after a restart is "repeat" or "fail", and anything else is found before a workflow is active', async () => {
  const refused = async (name: string, on_interrupt: Json) => {
    const about = { plugin_vendor: 'capstan', plugin_name: 'http', plugin_version: '1.0.0', step_id: 'request', input: { url: 'http://192.0.2.1/' } }
    const call = { id: 'call', type: 'action', parameters: { ...about, on_interrupt } }
    const { id } = await app.system('workflow.create', { document: documentOf({ name, steps: [trigger, call], paths: ['start>call', 'call>'] }) })
    const error = await app.system('workflow.activate', { workflow: id }).catch((thrown: unknown) => thrown)
    return (error as { details?: { findings: Json[] } }).details?.findings ?? []
  }
  for (const [at, wanted] of ['repeat', 'fail'].entries()) expect(await refused(`right ${at}`, wanted)).toEqual([])
  for (const [at, wanted] of ['always', '', true, null, 1].entries()) {
    expect(await refused(`wrong ${at}`, wanted)).toMatchObject([
      { step: 'call', input: 'on_interrupt', message: expect.stringContaining('"repeat" or "fail"') },
    ])
  }
})

test('every action of a plugin says whether it is done again', async () => {
  const says = async (plugin: string) => {
    const { actions } = await app.system('plugin.get', { plugin })
    return Object.fromEntries(actions.map((action: { step_id: string; on_interrupt: string }) => [action.step_id, action.on_interrupt]))
  }
  expect(await says('capstan/hash/1.0.0')).toMatchObject({ sha256: 'repeat' })
  expect(await says('capstan/http/1.0.0')).toMatchObject({ request: 'fail' })
})
