import { onSqlite } from './komand-lab.suite.ts'
import { contractSuite } from './contract.suite.ts'

contractSuite(onSqlite)
