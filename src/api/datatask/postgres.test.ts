import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import { awaySuite } from './away.suite.ts'
import { capacitySuite } from './capacity.suite.ts'
import { cronSuite } from './cron.suite.ts'
import { contractSuite } from './contract.suite.ts'
import { errorSuite } from './contract-errors.suite.ts'
import { onPostgres } from './deploy-lab.suite.ts'
import { fairSuite } from './fair.suite.ts'
import { finePrintSuite } from './fine-print.suite.ts'
import { grantedSuite } from './granted.suite.ts'
import { hostileSuite } from './hostile.suite.ts'
import { loadingSuite } from './loading.suite.ts'
import { routesSuite } from './routes.suite.ts'
import { runningSuite } from './running.suite.ts'
import { storySuite } from './story.suite.ts'
import { workloadSuite } from './workload.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) test.skip(`the Deploy API over PostgreSQL (not here: ${postgres.missing})`, () => {})
else {
  afterAll(() => postgres.stop())
  const labs = onPostgres(postgres)
  for (const suite of [
    routesSuite,
    contractSuite,
    errorSuite,
    hostileSuite,
    storySuite,
    runningSuite,
    loadingSuite,
    cronSuite,
    grantedSuite,
    fairSuite,
    finePrintSuite,
    capacitySuite,
    workloadSuite,
  ])
    suite(labs)
  awaySuite(labs, postgres)
}
