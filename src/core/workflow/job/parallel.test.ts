import { parallelSuite } from './parallel.suite.ts'
import { waitingRoundsSuite } from './parallel-waits.suite.ts'

parallelSuite('SQLite', async () => ({}))
waitingRoundsSuite('SQLite', async () => ({}))
