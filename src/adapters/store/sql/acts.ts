import type { Log } from '../../../core/kernel/log.ts'
import type { AcceptAct, AcceptResult, AdvanceAct, AdvanceResult } from '../../../ports/store/runs.ts'
import { DuplicateKey, StoreUnavailable } from '../../../ports/store/store.ts'
import { runBatch } from './batch.ts'
import type { Act, ActResult } from './batch.ts'
import { Conflict } from './sql.ts'
import type { Sql } from './sql.ts'
import { Crossed } from './world.ts'

type Waiting = { readonly act: Act; resolve(result: ActResult): void; reject(error: unknown): void }

// A transaction's statements carry all of their acts as one text each: the bound keeps that text, and what a failure has to repeat, small.
const largestBatch = 200

// How often an act is tried again after another server was faster at the same name, key or slot. Each time the other's row is there to be read.
const attempts = 3

/**
 * Commits the engine's acts: all that came in while the commit before was under way go through together, as sets. When that fails for a reason that only
 * some of them have, they are carried out one by one in one transaction, each undone alone.
 */
export class ActBatches {
  readonly #transaction: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>
  readonly #log: Log
  #queue: Waiting[] = []
  #running: Promise<void> | null = null
  #closed = false

  constructor(transaction: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>, log: Log) {
    this.#transaction = transaction
    this.#log = log
  }

  accept(act: AcceptAct): Promise<AcceptResult> {
    return this.#add({ what: 'accept', act }) as Promise<AcceptResult> // an accept is answered by its own result
  }

  advance(act: AdvanceAct): Promise<AdvanceResult> {
    return this.#add({ what: 'advance', act }) as Promise<AdvanceResult> // an advance is answered by its own result
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#running) await this.#running
  }

  #add(act: Act): Promise<ActResult> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('The store is closed.'))
    return new Promise((resolve, reject) => {
      this.#queue.push({ act, resolve, reject })
      this.#running ??= this.#work()
    })
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      // The rest of this turn of the event loop belongs to those who bring acts as well: many small commits would take longer than one.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#commit(this.#queue.splice(0, largestBatch))
    }
    // In the same turn as the look at the queue, or an act that comes in between would wait for the next one.
    this.#running = null
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const acts = batch.map(({ act }) => act)
    try {
      const results = await this.#transaction((sql) => runBatch(sql, acts))
      for (const [index, result] of results.entries()) batch[index]?.resolve(result)
    } catch (error) {
      if (error instanceof StoreUnavailable) return this.#fail(batch, error)
      this.#log.debug('store.batch_split', { acts: batch.length, error })
      await this.#oneByOne(batch)
    }
  }

  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    try {
      const settled = await this.#transaction(async (sql) => {
        const done: ({ result: ActResult } | { error: unknown })[] = []
        for (const { act } of batch) done.push(await alone(sql, act))
        return done
      })
      for (const [index, one] of settled.entries()) 'error' in one ? batch[index]?.reject(one.error) : batch[index]?.resolve(one.result)
    } catch (error) {
      this.#fail(batch, error)
    }
  }

  #fail(batch: readonly Waiting[], error: unknown): void {
    this.#log.error('store.commit_failed', { error, acts: batch.length })
    for (const { reject } of batch) reject(error)
  }
}

async function alone(sql: Sql, act: Act): Promise<{ result: ActResult } | { error: unknown }> {
  for (let attempt = 1; ; attempt++) {
    await sql.run('savepoint act')
    try {
      const [result] = await runBatch(sql, [act])
      await sql.run('release savepoint act')
      if (result === undefined) throw new Error('An act has no result')
      return { result }
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof Conflict) throw error
      await sql.run('rollback to savepoint act')
      await sql.run('release savepoint act')
      if (!(error instanceof Crossed)) return { error }
      if (attempt >= attempts) return { error: new DuplicateKey(error.key, { cause: error }) }
    }
  }
}
