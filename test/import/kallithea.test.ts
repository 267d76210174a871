import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { hasHg } from '../../src/adapters/hg/hg-lab.suite.ts'
import { startPostgres } from '../support/postgres.ts'
import { importSuite } from './kallithea.suite.ts'
import { writePostgres, writeSqlite } from './kallithea-world.ts'

if (hasHg()) {
  importSuite('an import from SQLite into SQLite', {
    async write(folder, rows) {
      const file = join(folder, 'kallithea.db')
      writeSqlite(file, rows)
      return file
    },
    store: null,
  })
  const postgres = await startPostgres({ durable: false })
  if ('missing' in postgres) test.skip(`an import from PostgreSQL: ${postgres.missing}`, () => undefined)
  else {
    importSuite('an import from PostgreSQL into PostgreSQL', {
      async write(_, rows) {
        const url = await postgres.database()
        await writePostgres(url, rows)
        return url
      },
      store: await postgres.database(),
    })
    afterAll(() => postgres.stop())
  }
} else test.skip('imports of Kallithea need Mercurial for their gists', () => undefined)
