import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createPrograms } from '../../adapters/programs/programs.ts'
import { operations } from '../../core/operations.ts'
import { contractSuite, facts } from './contract.suite.ts'
import { methods } from './table.ts'

const hg = (await createPrograms().found()).some(({ name }) => name === 'hg')
if (!hg && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('hg')) throw new Error('hg is required for this run of the tests')
if (!hg) console.log('    hg is not installed: the methods are tried on git repositories only')

contractSuite("Kallithea's methods over SQLite", { kinds: hg ? ['git', 'hg'] : ['git'] })

test('no method is in the table that the contract does not have', () => {
  const known = facts.map(({ method }) => method)
  expect(methods.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([])
})

test('the README says of every method which operations it calls, or that it is not built', () => {
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  const rows = new Map([...readme.matchAll(/^\| `(\w+)` +\| (.*?) +\|$/gm)].map(([, name = '', text = '']) => [name, text]))
  for (const { method } of facts) {
    const own = methods.find(({ name }) => name === method)
    const operations = own?.operations.map((operation) => `\`${operation}\``).join(', ')
    expect(rows.get(method), method).toBe(own === undefined ? 'not built yet' : operations || 'none')
  }
})

test('no method names an operation that there is not', () => {
  const known = new Set(operations.map(({ name }) => name))
  for (const { name, operations: own } of methods)
    expect(
      own.filter((operation) => !known.has(operation)),
      name,
    ).toEqual([])
})
