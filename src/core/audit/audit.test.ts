import { afterEach, beforeEach, expect, test } from 'vitest'
import { call, faultOf, somebody } from '../../../test/support/people.ts'
import { manualClock } from '../../../test/support/clock.ts'
import { testServices } from '../../../test/support/services.ts'
import { apiKeyOperations } from '../identity/api-key-operations.ts'
import { userOperations } from '../identity/user-operations.ts'
import { auditOperations } from './operations.ts'
import type { Answer } from '../../../test/support/people.ts'
import type { TestServices } from '../../../test/support/services.ts'
import type { Principal } from '../identity/principal.ts'

const clock = manualClock()
let lab: TestServices
let admin: Principal
let ann: Principal

beforeEach(async () => {
  lab = await testServices({ operations: [...auditOperations, ...userOperations, ...apiKeyOperations], clock })
  admin = await somebody(lab.services, 'root', { administrator: true })
  ann = await somebody(lab.services, 'ann')
})
afterEach(() => lab.close())

const as = (who: Principal, operation: string, input: object = {}): Promise<Answer> => call(lab.services, who, operation, input)
const told = (page: Answer) => page.items.map(({ actor, operation, subject, outcome }: Answer) => `${actor} ${operation} ${subject} ${outcome}`)

test('each change leaves exactly one line with who, what, which, how and from where; secrets are not in it', async () => {
  const password = 'Pw-canary-12345'
  await as(admin, 'user.create', { name: 'new', password })
  await as(ann, 'api-key.create', { label: 'ci' })
  const page = await as(admin, 'audit.list')
  expect(told(page)).toEqual(['ann api-key.create user:ann succeeded', 'root user.create user:new succeeded'])
  expect(page.items[1]).toMatchObject({
    via: 'test',
    peer: '192.0.2.1',
    credential: 'bearer',
    request_id: 'test',
    actor_id: admin.id,
    intent_id: null,
  })
  expect(JSON.stringify(page)).not.toContain('canary')
})

test('a change that did not happen leaves no line of success, and a refusal leaves one', async () => {
  await faultOf(as(admin, 'user.create', { name: 'ann' }), 'name_taken')
  await faultOf(as(ann, 'user.disable', { user: 'root' }), 'forbidden')
  await lab.services.refusals.flush()
  expect(told(await as(admin, 'audit.list'))).toEqual(['ann user.disable  refused'])
})

test('administrators see everything by filter, others their own acts only', async () => {
  const made = await as(admin, 'user.create', { name: 'new' })
  clock.advance(60_000)
  const since = new Date(clock.now()).toISOString()
  await as(ann, 'api-key.create', { label: 'ci' })
  expect(told(await as(ann, 'audit.list'))).toEqual(['ann api-key.create user:ann succeeded'])
  for (const actor of ['root', 'user:root', admin.id, 'ghost']) expect((await as(ann, 'audit.list', { actor })).items).toEqual([])
  for (const filter of [{ actor: 'ann' }, { actor: 'user:ann' }, { actor: ann.id }, { since }, { operation: 'api-key.create' }])
    expect(told(await as(admin, 'audit.list', filter)), JSON.stringify(filter)).toEqual(['ann api-key.create user:ann succeeded'])
  for (const subject of ['user:new', made.id, `user:${made.id}`]) expect((await as(admin, 'audit.list', { subject })).items, subject).toHaveLength(1)
  await faultOf(as(admin, 'audit.list', { since: 'yesterday' }), 'invalid_input')
})

test('the trail is read in pages without gap or repetition', async () => {
  for (let i = 0; i < 7; i++) await as(admin, 'user.create', { name: `user${i}x` })
  const seen: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page: Answer = await as(admin, 'audit.list', { limit: 3, ...(cursor ? { cursor } : {}) })
    seen.push(...page.items.map(({ subject }: Answer) => subject))
    if (page.next === null) break
    cursor = page.next
  }
  expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map((i) => `user:user${i}x`))
})
