import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { atLeast } from '../../src/core/kernel/level.ts'
import { defaultSystemPermissions } from '../../src/core/access/system.ts'
import { operations } from '../../src/core/operations.ts'
import { openApp } from '../support/app.ts'
import { makeSource, makingIn, missing, roles } from './matrix-fixtures.ts'
import { fixtures } from './matrix-table.ts'
import type { Level } from '../../src/core/kernel/level.ts'
import type { AnyOperation } from '../../src/core/operation/operation.ts'
import type { TestApp } from '../support/app.ts'
import type { Client } from '../support/client.ts'
import type { Fixture, Outcome, Role } from './matrix-fixtures.ts'

// Every operation × nobody, a stranger, a reader, a writer and an administrator, through the native API. What must come out is derived from what the
// operation declares (access, subjects); operations that decide by themselves are listed in exceptions.txt, and that list may only shrink.

const mostExceptions = 20

let app: TestApp
let clients: Record<Role, Client>

beforeAll(async () => {
  app = await openApp({ config: { openRoutes: 'granted' }, knobs: { durationMs: 0, exitCode: 0 } })
  clients = {
    nobody: app.nobody,
    stranger: await app.person('stranger'),
    reader: await app.person('reader'),
    writer: await app.person('writer'),
    admin: await app.person('root', { administrator: true }),
  }
  await makeSource(app)
})
afterAll(() => app?.close())

const levelOf: Record<Role, Level> = { nobody: 'none', stranger: 'none', reader: 'read', writer: 'write', admin: 'admin' }

/** What an operation's declaration says about a caller of this role. */
function derived(operation: AnyOperation, input: object, role: Role): Outcome {
  const { access } = operation
  if (access !== 'anyone' && role === 'nobody') return 'unauthenticated'
  if (access === 'administrator' && role !== 'admin') return 'forbidden'
  const granted: readonly string[] = defaultSystemPermissions
  if (typeof access === 'object' && role !== 'admin' && !granted.includes(access.system)) return 'forbidden'
  for (const rule of Object.values(operation.subjects)) {
    if (rule.reference(input) === undefined) continue
    // Nobody but its administrators and oneself knows of a user.
    const level = rule.kind === 'user' && role !== 'admin' ? 'none' : levelOf[role]
    if (level === 'none') return 'not_found'
    if (!atLeast(level, rule.need) || (rule.extra !== undefined && level !== 'admin')) return 'forbidden'
  }
  return 'ok'
}

function fixtureOf(operation: AnyOperation): Fixture {
  const fixture = Object.hasOwn(fixtures, operation.name) ? fixtures[operation.name] : undefined
  if (!fixture) throw new Error(`There is no fixture for ${operation.name}: add a line to test/api/matrix-table.ts`)
  return fixture
}

const exceptions = readFileSync(join(import.meta.dirname, 'exceptions.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

test('the list of exceptions names just the operations that decide by themselves, and only shrinks', async () => {
  const deciding = []
  for (const operation of operations) {
    const { expect: expected, input } = fixtureOf(operation)
    if (!expected) continue
    const asked = await input(makingIn(app))
    if (roles.some((role) => derived(operation, asked, role) !== expected[role])) deciding.push(operation.name)
    else throw new Error(`What ${operation.name} expects follows from its declaration: leave it out of the fixture`)
  }
  expect([...exceptions].sort()).toEqual(deciding.sort())
  expect(exceptions.length).toBeLessThanOrEqual(mostExceptions)
})

test('no fixture stands for an operation that is gone', () => {
  const names = new Set(operations.map(({ name }) => name))
  expect(Object.keys(fixtures).filter((name) => !names.has(name))).toEqual([])
})

const statuses: Partial<Record<Outcome, number>> = { unauthenticated: 401, forbidden: 403, not_found: 404, invalid_credential: 401 }

describe.each(operations.map((operation) => [operation.name, operation] as const))('%s', (name, operation) => {
  test.each(roles)('as %s', async (role) => {
    const { input, expect: expected, ends } = fixtureOf(operation)
    const making = makingIn(app)
    const asked = await input(making)
    const wanted = expected ? expected[role] : derived(operation, asked, role)
    const reply = await clients[role].call(name, asked)
    if (wanted === 'ok') {
      expect(reply.status === 200 ? undefined : reply.json.error?.code, reply.text).toBe(ends)
      return
    }
    expect({ status: reply.status, code: reply.json.error?.code }, reply.text).toEqual({ status: statuses[wanted], code: wanted })
    if (wanted !== 'not_found' || making.hidden.length === 0) return
    // What is hidden must not differ in anything from what is not there.
    const gone = missing(asked, making.hidden)
    const absent = await clients[role].call(name, gone.input)
    expect({ status: absent.status, text: gone.back(absent.text) }).toEqual({ status: reply.status, text: reply.text })
  })
})
