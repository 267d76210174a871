import { afterAll, test } from 'vitest'
import { startPostgres } from '../../../test/support/postgres.ts'
import { codeViewsSuite } from './code-views.suite.ts'

const postgres = await startPostgres({ durable: false })

if ('missing' in postgres) test.skip(`What is shown by address, over PostgreSQL: ${postgres.missing}`, () => undefined)
else {
  codeViewsSuite('What is shown by address, over PostgreSQL', { databaseUrl: await postgres.database(), kinds: ['git'] })
  afterAll(() => postgres.stop())
}
