import { onSqlite } from './deploy-lab.suite.ts'
import { capacitySuite } from './capacity.suite.ts'

capacitySuite(onSqlite)
