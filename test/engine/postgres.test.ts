import { afterAll } from 'vitest'
import { openPostgresStore } from '../../src/adapters/store/postgres/store.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { startPostgres } from '../support/postgres.ts'
import { engineSuite } from './engine.suite.ts'
import { schedulerSuite } from './scheduler.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) engineSuite('the run engine over PostgreSQL', { skip: postgres.missing })
else {
  const url = await postgres.database()
  engineSuite('the run engine over PostgreSQL', { openStore: () => openPostgresStore({ url, log: silentLog, clock: systemClock }) })
  const other = await postgres.database()
  schedulerSuite('the scheduler over PostgreSQL', { openStore: () => openPostgresStore({ url: other, log: silentLog, clock: systemClock }) })
  afterAll(() => postgres.stop())
}
