import { onSqlite } from './deploy-lab.suite.ts'
import { runningSuite } from './running.suite.ts'

runningSuite(onSqlite)
