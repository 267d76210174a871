import { onSqlite } from './deploy-lab.suite.ts'
import { grantedSuite } from './granted.suite.ts'

grantedSuite(onSqlite)
