import { afterAll, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { workflowCrashSuite } from './workflow.suite.ts'

const postgres = await startPostgres()

if ('missing' in postgres) {
  test.skip(`kill -9 in the middle of workflows on PostgreSQL (not here: ${postgres.missing})`, () => {})
} else {
  afterAll(() => postgres.stop())
  workflowCrashSuite('PostgreSQL', async () => ({ CAPSTAN_DATABASE_URL: await postgres.database() }), { together: true, kills: 2 })
}
