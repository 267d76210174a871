import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../../test/support/postgres.ts'
import { jobSuite } from './job.suite.ts'
import { toldSuite } from './told.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) {
  test.skip(`workflows over PostgreSQL (not here: ${postgres.missing})`, () => {})
} else {
  afterAll(() => postgres.stop())
  jobSuite('PostgreSQL', async () => ({ databaseUrl: await postgres.database() }))
  toldSuite('PostgreSQL', async () => ({ databaseUrl: await postgres.database() }))
}
