import { describe, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { openPostgresStore } from './postgres/store.ts'
import { storeSuite } from './store.suite.ts'
import { testLog } from './suite/fixtures.ts'

const postgres = await startPostgres()

if ('missing' in postgres) {
  describe('the store on PostgreSQL', () => {
    test.skip(`skipped: ${postgres.missing}`, () => {})
  })
} else {
  storeSuite('PostgreSQL', {
    open: async () => openPostgresStore({ url: await postgres.database(), log: testLog, clock: systemClock }),
    cleanUp: () => postgres.stop(),
  })
}
