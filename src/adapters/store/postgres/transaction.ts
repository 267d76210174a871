import type { Pool } from 'pg'
import { StoreUnavailable } from '../../../ports/store/store.ts'
import { Conflict } from '../sql/sql.ts'
import type { Sql } from '../sql/sql.ts'
import { command, sqlOver, translate } from './connection.ts'
import type { Transaction } from './connection.ts'

type Isolation = 'read committed' | 'serializable' | 'repeatable read, read only'

/** Runs `work` once in a transaction on a client of its own. Throws `Conflict` when it has to be done again. */
async function inTransaction<T>(pool: Pool, isolation: Isolation, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error)
  })
  // A client without a listener ends the process when its connection breaks between two statements.
  const onError = () => {}
  client.on('error', onError)
  const transaction: Transaction = { ended: false, conflict: null }
  let broken = false
  try {
    await command(client, `begin isolation level ${isolation}`)
    const value = await work(sqlOver(client, { transaction }))
    transaction.ended = true
    // A closure that caught a conflict and went on has not succeeded: nothing after it was carried out.
    if (transaction.conflict) throw transaction.conflict
    const { command: tag } = await command(client, 'commit')
    if (tag !== 'COMMIT') throw new Error('The transaction was undone because one of its statements had failed')
    return value
  } catch (error) {
    transaction.ended = true
    broken = error instanceof StoreUnavailable || !(await undone(() => command(client, 'rollback')))
    throw transaction.conflict ?? error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

async function undone(rollback: () => Promise<unknown>): Promise<boolean> {
  return rollback().then(
    () => true,
    () => false,
  )
}

const attempts = 20

/** Repeats what lost against another transaction. From the second try on, works of this process wait for each other, so that each gets through. */
function retrying(pause: (ms: number) => Promise<void>): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return attempt === 1 ? await work() : await alone(work)
      } catch (error) {
        if (!(error instanceof Conflict)) throw error
        if (attempt >= attempts) throw new StoreUnavailable('Too many transactions change the same rows just now.', { cause: error })
        await pause(Math.random() * Math.min(2 ** attempt, 100))
      }
    }
  }
}

export type { Isolation }
export { inTransaction, retrying }
