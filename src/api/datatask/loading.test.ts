import { onSqlite } from './deploy-lab.suite.ts'
import { loadingSuite } from './loading.suite.ts'

loadingSuite(onSqlite)
