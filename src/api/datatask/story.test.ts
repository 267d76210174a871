import { onSqlite } from './deploy-lab.suite.ts'
import { storySuite } from './story.suite.ts'

storySuite(onSqlite)
