import { toldSuite } from './told.suite.ts'

toldSuite('SQLite', async () => ({}))
