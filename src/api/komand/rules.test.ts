import { onSqlite } from './komand-lab.suite.ts'
import { rulesSuite } from './rules.suite.ts'

rulesSuite(onSqlite)
