import { onSqlite } from './komand-lab.suite.ts'
import { outsideSuite } from './outside.suite.ts'

outsideSuite(onSqlite)
