import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import { contractSuite } from './contract.suite.ts'
import { openKomandLab } from './komand-lab.suite.ts'
import { outsideSuite } from './outside.suite.ts'
import { rulesSuite } from './rules.suite.ts'
import type { Labs } from './komand-lab.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) test.skip(`the Komand API over PostgreSQL: ${postgres.missing}`, () => undefined)
else {
  const labs: Labs = {
    store: 'PostgreSQL',
    open: async (options = {}) => openKomandLab({ ...options, config: { ...options.config, databaseUrl: await postgres.database() } }),
  }
  contractSuite(labs)
  rulesSuite(labs)
  outsideSuite(labs)
  afterAll(() => postgres.stop())
}
