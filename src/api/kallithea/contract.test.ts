import { expect, test } from 'vitest'
import { createPrograms } from '../../adapters/programs/programs.ts'
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
