import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import { contractSuite } from './contract.suite.ts'
import { gistRulesSuite } from './gists.suite.ts'
import { hasHg } from '../../adapters/hg/hg-lab.suite.ts'
import { reviewRulesSuite } from './review.suite.ts'
import { rulesSuite } from './rules.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) test.skip(`Kallithea's methods over PostgreSQL: ${postgres.missing}`, () => undefined)
else {
  contractSuite("Kallithea's methods over PostgreSQL", { databaseUrl: await postgres.database(), kinds: ['git'] })
  rulesSuite("Kallithea's rules over PostgreSQL", { databaseUrl: await postgres.database() })
  gistRulesSuite('Gists in Kallithea over PostgreSQL', { databaseUrl: await postgres.database() })
  for (const kind of hasHg() ? (['git', 'hg'] as const) : (['git'] as const)) {
    reviewRulesSuite('Changesets and pull requests in Kallithea over PostgreSQL', { databaseUrl: await postgres.database(), kinds: [kind] })
  }
  afterAll(() => postgres.stop())
}
