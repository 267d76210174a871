import { afterAll, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { crashSuite } from './crash.suite.ts'
import { deployCrashSuite } from './deploy.suite.ts'

const postgres = await startPostgres()

if ('missing' in postgres) {
  test.skip(`kill -9 on PostgreSQL (not here: ${postgres.missing})`, () => {})
} else {
  afterAll(() => postgres.stop())
  // Work of a killed server is taken over when its lease has ended, so each kill costs seconds here.
  crashSuite('PostgreSQL', async () => ({ CAPSTAN_DATABASE_URL: await postgres.database() }), { kills: 6, pipelineKills: 1, sweepsAtStart: false })
  deployCrashSuite('PostgreSQL', async () => ({ CAPSTAN_DATABASE_URL: await postgres.database() }), { together: true })
}
