import { crashSuite } from './crash.suite.ts'
import { deployCrashSuite } from './deploy.suite.ts'

crashSuite('SQLite', async () => ({}), { kills: 30, pipelineKills: 3, sweepsAtStart: true })
deployCrashSuite('SQLite', async () => ({}), { together: false })
