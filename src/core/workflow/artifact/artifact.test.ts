import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import type { TestApp } from '../../../../test/support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await openApp()
  await app.system('artifact.create', { name: 'list' })
  const rows = [{ value: '10.0.0.1', owner: 'ann', hits: 3 }, { value: '10.0.0.2', owner: 'ben', hits: 9 }, { owner: 'ann' }, 'plain']
  for (const value of rows) await app.system('artifact.append', { artifact: 'list', value })
})
afterAll(() => app.close())

const lookUp = (rule: string, values: object = {}) => app.system('artifact.look-up', { artifact: 'list', rule, values })
const refused = (rule: string, values: object = {}) => lookUp(rule, values).then(String, (error: Error) => error.message)

test('a rule finds the rows whose member is a value of the job', async () => {
  expect(await lookUp("'value' = {{[Ask].[$ip]}}", { Ask: { $ip: '10.0.0.2' } })).toEqual({
    found: true,
    results: [{ value: '10.0.0.2', owner: 'ben', hits: 9 }],
  })
  expect((await lookUp("'owner' = 'ann'")).results).toHaveLength(2)
  expect((await lookUp("'owner' = 'ann' AND 'hits' = 3")).results).toHaveLength(1)
  expect((await lookUp("'value' = {{x}}", { x: 'plain' })).results).toEqual(['plain'])
  expect(await lookUp("'nowhere' = 'x'")).toEqual({ found: false, results: [] })
})

test('a rule that cannot be read, or names what is not there, is refused with its place', async () => {
  expect(await refused("'value' = ")).toContain('the rule:')
  expect(await refused("'value' = {{missing}}")).toContain("wasn't defined")
  expect(await refused(`'value' = '${'x'.repeat(3000)}'`)).toContain('longer than 2048')
})

test('a list has bounds: its rows, their size, and what one look-up gives', async () => {
  expect(await app.system('artifact.append', { artifact: 'list', value: 'x'.repeat(70_000) }).catch((error: Error) => error.message)).toContain(
    'larger',
  )
  await app.system('artifact.create', { name: 'long' })
  const { id } = await app.system('artifact.get', { artifact: 'long' })
  await app.services.store.write(async ({ artifactEntities }) => {
    for (let at = 0; at < 10_000; at++) await artifactEntities.insert({ id: `${id}.${at}`, artifact_id: id, value: { n: at }, created_at: at })
  })
  expect(await app.system('artifact.append', { artifact: 'long', value: 1 }).catch((error: { code: string }) => error.code)).toBe('quota_exceeded')
  expect((await app.system('artifact.look-up', { artifact: 'long', rule: "'n' = 9999" })).results).toEqual([{ n: 9999 }])
  const many = app.system('artifact.look-up', { artifact: 'long', rule: "'n' >= 0" }).catch((error: Error) => error.message)
  expect(await many).toContain('make it narrower')
})

test('who may only read a list cannot append to it, and a stranger does not know of it', async () => {
  const [reader, stranger] = [await app.person('reader'), await app.person('stranger')]
  await app.system('grant.set', { to: 'user:reader', on: 'artifact:list', level: 'read' })
  expect((await reader.call('artifact.list-entities', { artifact: 'list' })).json.items).toHaveLength(4)
  expect((await reader.call('artifact.append', { artifact: 'list', value: 1 })).status).toBe(403)
  await app.system('grant.set', { to: 'user:reader', on: 'artifact:list', level: 'execute' })
  const row = (await reader.call('artifact.append', { artifact: 'list', value: 1 })).json
  expect((await reader.call('artifact.remove-entity', { artifact: 'list', entity: row.id })).status).toBe(403)
  expect((await stranger.call('artifact.get', { artifact: 'list' })).status).toBe(404)
  expect(await app.system('artifact.remove-entity', { artifact: 'list', entity: row.id })).toEqual({ id: row.id })
  expect(await app.system('artifact.remove-entity', { artifact: 'list', entity: row.id }).catch((error: { code: string }) => error.code)).toBe(
    'not_found',
  )
})
