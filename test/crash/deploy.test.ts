import { deployCrashSuite } from './deploy.suite.ts'

deployCrashSuite('SQLite', async () => ({}), { together: false })
