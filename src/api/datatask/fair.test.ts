import { onSqlite } from './deploy-lab.suite.ts'
import { fairSuite } from './fair.suite.ts'

fairSuite(onSqlite)
