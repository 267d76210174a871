import { hasHg } from '../../adapters/hg/hg-lab.suite.ts'
import { reviewRulesSuite } from './review.suite.ts'

reviewRulesSuite('Changesets and pull requests in Kallithea over SQLite', { kinds: hasHg() ? ['git', 'hg'] : ['git'] })
