import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../test/support/app.ts'
import { until } from '../../../test/support/until.ts'
import type { TestApp } from '../../../test/support/app.ts'

let app: TestApp
let trigger: string
const secret = 'a secret of at least sixteen'
beforeAll(async () => {
  app = await openApp()
  const root = await app.person('root', { administrator: true })
  trigger = (await root.ok('trigger.create', { name: 'From outside', type: 'webhook', secret })).id
  const steps = [
    { id: 'start', name: 'start', type: 'trigger', parameters: { trigger_config_id: trigger } },
    { id: 'say', name: 'say', type: 'artifact', parameters: { input: { content: '{{[start].[word]}}' } } },
  ]
  const document = { name: 'hooked', steps, paths: [{ id: 'p', from_step: 'start', to_step: 'say' }] }
  await root.ok('workflow.create', { document })
  await root.ok('workflow.activate', { workflow: 'hooked' })
})
afterAll(() => app.close())

const now = () => String(Math.floor(Date.now() / 1000))
const signed = (text: string, key = secret) => `sha256=${createHmac('sha256', key).update(text).digest('hex')}`
const post = (body: string, headers: Record<string, string>, to = trigger) =>
  app.nobody.request('POST', `/api/v1/hooks/${to}`, { body, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } })

test('a signed post starts a job with its members, once, and without any other credential', async () => {
  const body = '{ "word" : "grüße" }'
  const time = now()
  const headers = { 'x-capstan-signature': signed(`${time}.${body}`), 'x-capstan-timestamp': time }
  expect(await post(body, headers)).toMatchObject({ status: 200, json: { events: 1 } })
  expect(await post(body, headers)).toMatchObject({ status: 200, json: { events: 0 } })
  const said = async () => {
    const { items } = await app.system('job.list', {})
    return items[0] && (await app.system('job.list-artifacts', { job: items[0].id })).items[0]?.content
  }
  expect(await until('the job has spoken', said)).toBe('grüße')
  expect((await app.system('job.list', {})).items).toHaveLength(1)
})

test.each([
  ['no signature', {}],
  ['a signature of something else', { 'x-hub-signature-256': signed('x') }],
  ['a signature with another secret', { 'x-hub-signature-256': signed(`${now()}.{}`, 'another one entirely'), 'x-capstan-timestamp': now() }],
])('a post with %s is refused as one to a trigger that is not there', async (_, headers) => {
  const here = await post('{}', headers as Record<string, string>)
  const nowhere = await post('{}', headers as Record<string, string>, '00000000-0000-4000-8000-000000000000')
  expect(here).toMatchObject({ status: 401, json: { error: { code: 'invalid_credential' } } })
  expect(nowhere.text).toBe(here.text)
})

test('a post that was signed long ago, is no object, or is too large is refused with a reason', async () => {
  const old = '1700000000'
  expect(await post('{}', { 'x-capstan-signature': signed(`${old}.{}`), 'x-capstan-timestamp': old })).toMatchObject({ status: 400 })
  const time = now()
  expect(await post('[1]', { 'x-capstan-signature': signed(`${time}.[1]`), 'x-capstan-timestamp': time })).toMatchObject({ status: 400 })
  expect((await post('x'.repeat(11 * 1024 * 1024), { 'x-capstan-signature': 'x' })).status).toBe(413)
})
