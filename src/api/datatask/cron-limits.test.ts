import { onSqlite } from './deploy-lab.suite.ts'
import { cronLimitsSuite } from './cron-limits.suite.ts'

cronLimitsSuite(onSqlite)
