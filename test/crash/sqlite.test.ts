import { crashSuite } from './crash.suite.ts'

crashSuite('SQLite', async () => ({}), { kills: 30, pipelineKills: 3, sweepsAtStart: true })
