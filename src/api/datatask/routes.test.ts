import { onSqlite } from './deploy-lab.suite.ts'
import { routesSuite } from './routes.suite.ts'

routesSuite(onSqlite)
