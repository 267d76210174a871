import { engineSuite } from './engine.suite.ts'

engineSuite('the run engine over SQLite', {})
