import { onSqlite } from './deploy-lab.suite.ts'
import { finePrintSuite } from './fine-print.suite.ts'

finePrintSuite(onSqlite)
