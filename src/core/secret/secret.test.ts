import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call, faultOf, somebody } from '../../../test/support/people.ts'
import { testServices } from '../../../test/support/services.ts'
import { grantOperations } from '../access/grant-operations.ts'
import { auditOperations } from '../audit/operations.ts'
import { viewerOf } from '../identity/principal.ts'
import { secretsFor } from './open.ts'
import { secretOperations } from './operations.ts'
import type { Answer } from '../../../test/support/people.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { Principal } from '../identity/principal.ts'
import type { SecretRef } from './open.ts'

let lab: TestServices
let admin: Principal
let ann: Principal
let bob: Principal

beforeEach(async () => {
  lab = await testServices({ operations: [...secretOperations, ...grantOperations, ...auditOperations] })
  admin = await somebody(lab.services, 'root', { administrator: true })
  ann = await somebody(lab.services, 'ann')
  bob = await somebody(lab.services, 'bob')
  await as(admin, 'grant.set', { to: 'user:ann', on: 'namespace:weather', level: 'write' })
  await lab.services.store.write((tables) =>
    tables.resources.insert({
      id: 'r1',
      kind: 'repository',
      name: 'lab/weather',
      owner_id: ann.id,
      parent_id: null,
      private: true,
      active: true,
      state: '',
      spec: {},
      created_at: 0,
      updated_at: 0,
    }),
  )
})
afterEach(() => lab.close())

const as = (who: Principal, operation: string, input: object = {}): Promise<Answer> => call(lab.services, who, operation, input)

const opened = async (who: Principal, refs: SecretRef[], namespace = 'weather', repositoryId: string | null = null) => {
  const from = { tables: lab.services.store.reader, secretBox: lab.services.secretBox, viewer: viewerOf(who) }
  const { found, missing } = await secretsFor(from, { namespace, repositoryId }, refs)
  return { found: found.map(({ name, key, value }) => `${name}/${key}=${value.reveal()}`), missing: missing.map(({ name, key }) => `${name}/${key}`) }
}

test('a secret of a namespace is for its manifests, in place of a general one of the same name', async () => {
  await as(admin, 'secret.set', { name: 'token', value: 'general' })
  await as(ann, 'secret.set', { name: 'token', value: 'of the namespace', scope: 'namespace:weather' })
  await as(ann, 'secret.set', { name: 'token', key: 'other', value: 'another key', scope: 'namespace:Weather' })
  expect(await opened(bob, [{ name: 'token' }, { name: 'token', key: 'other' }])).toEqual({
    found: ['token/value=of the namespace', 'token/other=another key'],
    missing: [],
  })
  expect(await opened(bob, [{ name: 'token' }], 'elsewhere')).toEqual({ found: [], missing: ['token/value'] })
})

test('a general secret counts only with execute on it, and a missing one looks the same as a forbidden one', async () => {
  await as(admin, 'secret.set', { name: 'token', value: 'general' })
  expect(await opened(bob, [{ name: 'token' }, { name: 'ghost' }])).toEqual({ found: [], missing: ['token/value', 'ghost/value'] })
  await as(admin, 'grant.set', { to: 'user:bob', on: 'secret:token', level: 'read' })
  expect((await opened(bob, [{ name: 'token' }])).found).toEqual([])
  await as(admin, 'grant.set', { to: 'user:bob', on: 'secret:token', level: 'execute' })
  expect((await opened(bob, [{ name: 'token' }])).found).toEqual(['token/value=general'])
  expect((await opened(ann, [{ name: 'token' }])).found).toEqual([])
  expect((await opened(admin, [{ name: 'token' }])).found).toEqual(['token/value=general'])
})

test('a general secret that was deleted and made anew begins without grants', async () => {
  await as(admin, 'secret.set', { name: 'token', value: 'one' })
  await as(admin, 'secret.set', { name: 'token', key: 'b', value: 'two' })
  await as(admin, 'grant.set', { to: 'user:bob', on: 'secret:token', level: 'execute' })
  await as(admin, 'secret.delete', { name: 'token', key: 'b' })
  expect((await opened(bob, [{ name: 'token' }])).found).toEqual(['token/value=one'])
  await as(admin, 'secret.delete', { name: 'token' })
  await as(admin, 'secret.set', { name: 'token', value: 'three' })
  expect((await opened(bob, [{ name: 'token' }])).found).toEqual([])
})

test('a secret of a repository follows it, and is for runs from it', async () => {
  expect((await as(ann, 'secret.set', { name: 'deploy', value: 'v', scope: 'repository:lab/weather' })).scope).toBe('repository:lab/weather')
  await lab.services.store.write((tables) => tables.resources.update('r1', { name: 'lab/climate' }))
  expect((await as(ann, 'secret.list', { scope: 'repository:lab/climate' })).items).toMatchObject([
    { name: 'deploy', scope: 'repository:lab/climate' },
  ])
  expect((await opened(bob, [{ name: 'deploy' }], 'weather', 'r1')).found).toEqual(['deploy/value=v'])
  expect((await opened(bob, [{ name: 'deploy' }])).found).toEqual([])
})

test('each scope is for who may write there; the general one for administrators', async () => {
  for (const scope of ['namespace:weather', 'namespace:ghost', 'repository:lab/weather', 'repository:ghost'])
    for (const [operation, input] of [
      ['secret.set', { value: 'v', name: 'x' }],
      ['secret.list', {}],
      ['secret.delete', { name: 'x' }],
    ] as const)
      await faultOf(as(bob, operation, { ...input, scope }), 'not_found')
  for (const [operation, input] of [
    ['secret.set', { value: 'v', name: 'x' }],
    ['secret.list', {}],
    ['secret.delete', { name: 'x' }],
  ] as const)
    await faultOf(as(ann, operation, input), 'forbidden')
  await as(admin, 'grant.set', { to: 'user:bob', on: 'namespace:weather', level: 'execute' })
  await faultOf(as(bob, 'secret.set', { name: 'x', value: 'v', scope: 'namespace:weather' }), 'forbidden')
  for (const scope of ['weather', 'user:ann', 'secret:x', 'kind:namespace', 'namespace'])
    await faultOf(as(admin, 'secret.set', { name: 'x', value: 'v', scope }), 'invalid_reference')
})

test('an administrator sets a secret for a namespace before its first use', async () => {
  await as(admin, 'secret.set', { name: 'x', value: 'v', scope: 'namespace:new_one' })
  expect(await lab.services.store.reader.resources.byName('namespace', 'new-one')).toMatchObject({ state: 'reserved' })
  expect((await opened(ann, [{ name: 'x' }], 'new-one')).found).toEqual(['x/value=v'])
})

test('administrators list all scopes', async () => {
  await as(admin, 'secret.set', { name: 'a', value: 'v' })
  await as(ann, 'secret.set', { name: 'b', value: 'v', scope: 'namespace:weather' })
  await as(ann, 'secret.set', { name: 'c', value: 'v', scope: 'repository:lab/weather' })
  expect((await as(admin, 'secret.list')).items.map(({ name, scope }: Answer) => `${name} ${scope}`).sort()).toEqual([
    'a ',
    'b namespace:weather',
    'c repository:lab/weather',
  ])
})

test('a changed value replaces the old one, and the row keeps its id', async () => {
  const first = await as(admin, 'secret.set', { name: 'a', value: 'one' })
  const second = await as(admin, 'secret.set', { name: 'a', value: 'two' })
  expect(second.id).toBe(first.id)
  expect((await opened(admin, [{ name: 'a' }])).found).toEqual(['a/value=two'])
})

test.each(['../x', '-x', 'a b', 'a/b', '', 'a\n', '[[x]]', 'x'.repeat(254)])('the name %j is refused', async (name) => {
  await faultOf(as(admin, 'secret.set', { name, value: 'v' }), 'invalid_input')
})

test('a canary value is in no answer, no audit line, no error and not in the data folder', async () => {
  const canary = 'canary-5f0c9f1e-value'
  const heard: unknown[] = []
  lab.services.events.subscribe((event) => heard.push(event))
  const answers = [
    await as(ann, 'secret.set', { name: 'x', value: canary, scope: 'namespace:weather' }),
    await as(ann, 'secret.list', { scope: 'namespace:weather' }),
    await as(admin, 'secret.list'),
    (await faultOf(as(bob, 'secret.set', { name: 'x', value: canary, scope: 'namespace:weather' }))).message,
    (await faultOf(as(ann, 'secret.set', { name: 'x y', value: canary, scope: 'namespace:weather' }))).message,
    await as(ann, 'secret.delete', { name: 'x', scope: 'namespace:weather' }),
    await as(admin, 'secret.set', { name: 'kept', value: canary }),
  ]
  await lab.services.refusals.flush()
  answers.push((await as(admin, 'audit.list', { limit: 1000 })).items, heard)
  expect(JSON.stringify(answers)).not.toContain('canary')
  const files = readdirSync(lab.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(files.length).toBeGreaterThan(2)
  for (const file of files) expect(readFileSync(join(file.parentPath, file.name)).includes(canary), file.name).toBe(false)
})
