import { afterAll, afterEach, beforeEach, describe } from 'vitest'
import type { Store } from '../../ports/store/store.ts'
import { acceptSuite } from './testing/accept.suite.ts'
import { advanceSuite } from './testing/advance.suite.ts'
import type { Subject } from './testing/fixtures.ts'
import { gistSuite } from './testing/gist.suite.ts'
import { identitySuite } from './testing/identity.suite.ts'
import { permissionSuite } from './testing/permission.suite.ts'
import { resourceSuite } from './testing/resource.suite.ts'
import { reviewSuite } from './testing/review.suite.ts'
import { runSuite } from './testing/run.suite.ts'
import { scheduleSuite } from './testing/schedule.suite.ts'
import { transactionSuite } from './testing/transaction.suite.ts'
import { webhookSuite } from './testing/webhook.suite.ts'
import { workflowSuite } from './testing/workflow.suite.ts'

export type StoreSuite = {
  /** A fresh, empty store for each test. */
  open(): Promise<Store>
  /** Removes what the stores left. */
  cleanUp(): Promise<void>
}

/** What every store must do: called by each engine's own test. */
export function storeSuite(engine: string, suite: StoreSuite): void {
  describe(`the store on ${engine}`, () => {
    let current: Subject | null = null
    const use = (): Subject => {
      if (current === null) throw new Error('A store is open in tests only')
      return current
    }
    beforeEach(async () => {
      current = { store: await suite.open() }
    })
    afterEach(async () => {
      await current?.store.close()
      current = null
    })
    afterAll(() => suite.cleanUp())

    describe('identity and audit', () => identitySuite(use))
    describe('resources', () => resourceSuite(use))
    describe('permissions', () => permissionSuite(use))
    describe('pull requests and comments', () => reviewSuite(use))
    describe('gists', () => gistSuite(use))
    describe('accepting runs', () => acceptSuite(use))
    describe('advancing runs', () => advanceSuite(use))
    describe('runs, servers and schedules', () => runSuite(use))
    describe('occurrences and loadings', () => scheduleSuite(use))
    describe('webhooks', () => webhookSuite(use))
    describe('workflows', () => workflowSuite(use))
    describe('transactions', () => transactionSuite(use))
  })
}
