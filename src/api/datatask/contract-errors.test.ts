import { onSqlite } from './deploy-lab.suite.ts'
import { errorSuite } from './contract-errors.suite.ts'

errorSuite(onSqlite)
