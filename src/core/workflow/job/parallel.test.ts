import { parallelSuite } from './parallel.suite.ts'

parallelSuite('SQLite', async () => ({}))
