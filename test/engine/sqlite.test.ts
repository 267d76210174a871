import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { engineSuite } from './engine.suite.ts'
import { schedulerSuite } from './scheduler.suite.ts'

engineSuite('the run engine over SQLite', {})
schedulerSuite('the scheduler over SQLite', { openStore: (folder) => openSqliteStore({ folder, log: silentLog, clock: systemClock }) })
