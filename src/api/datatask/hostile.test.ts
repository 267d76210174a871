import { onSqlite } from './deploy-lab.suite.ts'
import { hostileSuite } from './hostile.suite.ts'

hostileSuite(onSqlite)
