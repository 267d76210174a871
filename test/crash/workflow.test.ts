import { workflowCrashSuite } from './workflow.suite.ts'

workflowCrashSuite('SQLite', async () => ({}), { together: false, kills: 6 })
