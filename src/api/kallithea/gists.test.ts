import { gistRulesSuite } from './gists.suite.ts'

gistRulesSuite('Gists in Kallithea over SQLite')
