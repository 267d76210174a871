import { afterAll, beforeAll, expect, test } from 'vitest'
import { operations } from '../operations.ts'
import { call, faultOf, origin, somebody } from '../../../test/support/people.ts'
import { testServices } from '../../../test/support/services.ts'
import { identify } from './identify.ts'
import { narrowed, reaches } from './scope.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { Principal } from './principal.ts'

let lab: TestServices
let ann: Principal
beforeAll(async () => {
  lab = await testServices({ operations })
  ann = await somebody(lab.services, 'ann')
})
afterAll(() => lab.close())

async function withKey(scopes?: string[]): Promise<Principal> {
  const { secret } = await call(lab.services, ann, 'api-key.create', { label: 'k', ...(scopes && { scopes }) })
  return identify(lab.services, { form: 'bearer', token: secret }, origin)
}

test('a key without scopes may do all that its user may', async () => {
  const wide = await withKey()
  for (const operation of operations) expect([operation.name, reaches(wide, operation)]).toEqual([operation.name, true])
})

test('a key to read reads everything and changes nothing', async () => {
  const reader = await withKey(['read'])
  for (const operation of operations) expect([operation.name, reaches(reader, operation)]).toEqual([operation.name, operation.effect === 'read'])
  expect(await call(lab.services, reader, 'user.get', { user: 'ann' })).toMatchObject({ name: 'ann' })
  await faultOf(call(lab.services, reader, 'api-key.create', { label: 'x' }), 'forbidden')
})

test('a key for a noun or one operation reaches that and nothing else', async () => {
  const narrow = await withKey(['repository', 'task.deploy'])
  expect(reaches(narrow, { name: 'repository.create', effect: 'act' })).toBe(true)
  expect(reaches(narrow, { name: 'task.deploy', effect: 'act' })).toBe(true)
  expect(reaches(narrow, { name: 'task.delete', effect: 'act' })).toBe(false)
  expect(reaches(narrow, { name: 'repository-group.create', effect: 'write' })).toBe(false)
  await faultOf(call(lab.services, narrow, 'user.get', { user: 'ann' }), 'forbidden')
})

test('a narrow key makes no wider credential', async () => {
  const narrow = await withKey(['api-key', 'session', 'user'])
  for (const name of ['api-key.create', 'session.reissue', 'user.set-password', 'user.update'])
    expect([name, reaches(narrow, { name, effect: 'act' })]).toEqual([name, false])
  const maker = await withKey(['api-key.create', 'read'])
  await faultOf(call(lab.services, maker, 'api-key.create', { label: 'x', scopes: ['repository'] }), 'forbidden')
  expect(await call(lab.services, maker, 'api-key.create', { label: 'x' })).toMatchObject({ scopes: ['api-key.create', 'read'] })
  expect(narrowed(maker, ['read'])).toEqual(['read'])
})

test('a scope that is no scope is refused', async () => {
  for (const scope of ['', 'READ', 'a b', '*', '../x', 'task.deploy.x']) {
    await faultOf(call(lab.services, ann, 'api-key.create', { label: 'x', scopes: [scope] }), 'invalid_input')
  }
})
