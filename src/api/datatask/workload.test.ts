import { onSqlite } from './deploy-lab.suite.ts'
import { workloadSuite } from './workload.suite.ts'

workloadSuite(onSqlite)
