import { onSqlite } from './deploy-lab.suite.ts'
import { contractSuite } from './contract.suite.ts'

contractSuite(onSqlite)
