import { onSqlite } from './deploy-lab.suite.ts'
import { cronSuite } from './cron.suite.ts'

cronSuite(onSqlite)
