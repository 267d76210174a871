import { rulesSuite } from './rules.suite.ts'

rulesSuite("Kallithea's rules over SQLite")
