import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../../test/support/postgres.ts'
import { parallelSuite } from './parallel.suite.ts'
import { waitingRoundsSuite } from './parallel-waits.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) {
  test.skip(`rounds at once over PostgreSQL (not here: ${postgres.missing})`, () => {})
} else {
  afterAll(() => postgres.stop())
  parallelSuite('PostgreSQL', async () => ({ databaseUrl: await postgres.database() }))
  waitingRoundsSuite('PostgreSQL', async () => ({ databaseUrl: await postgres.database() }))
}
