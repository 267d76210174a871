import type { Log } from '../../../core/kernel/log.ts'
import { StoreUnavailable } from '../../../ports/store/store.ts'
import type { Connection } from './connection.ts'

type Job = { run(): Promise<unknown>; resolve(value: unknown): void; reject(error: unknown): void }
type Settled = { job: Job; value: unknown } | { job: Job; error: unknown }

// A commit takes in what has come, but holds the event loop no longer than this: others wait for it as well.
const longestBatchMs = 15

/**
 * The one place where SQLite is written. All closures that came in since the last time run in one transaction, each in a savepoint of its own, and share
 * one sync of the disk. A closure that throws is undone alone. Nobody hears of success before the commit is durable.
 */
export class GroupCommit {
  readonly #connection: Connection
  readonly #log: Log
  readonly #onCommit: () => void
  readonly #afterCommit: () => void
  #queue: Job[] = []
  #running: Promise<void> | null = null
  #scheduled = false
  #inTransaction = false
  #closed = false
  #pauses = 0
  #committedAt = 0
  #failed = false

  constructor(connection: Connection, options: { log: Log; onCommit?: () => void; afterCommit: () => void }) {
    this.#connection = connection
    this.#log = options.log
    this.#onCommit = options.onCommit ?? (() => {})
    this.#afterCommit = options.afterCommit
  }

  /** Runs a closure that awaits nothing but statements of this connection. Resolves with its value when it is durable. */
  add<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('The store is closed.'))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: work, resolve: resolve as (value: unknown) => void, reject }) // `run` gives what this very `resolve` takes
      this.#schedule()
    })
  }

  /** Throws unless one of the closures is running: a statement at any other time would be in no transaction. */
  readonly assertOpen = (): void => {
    if (!this.#inTransaction) throw new Error('A write was used after it had ended')
  }

  /** Whether the last commit failed, and when one last succeeded (by the clock of `performance`). */
  get condition(): { failed: boolean; committedAt: number } {
    return { failed: this.#failed, committedAt: this.#committedAt }
  }

  /** Holds back commits while `work` is under way (it needs the database for itself). Writes wait; the event loop does not. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#pauses += 1
    try {
      await this.#running
      return await work()
    } finally {
      this.#pauses -= 1
      this.#schedule()
    }
  }

  /** Commits what has come in, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#queue.length > 0 || this.#running) {
      this.#schedule()
      await (this.#running ?? new Promise((resolve) => setImmediate(resolve)))
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#running || this.#pauses > 0 || this.#queue.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#pauses > 0 || this.#running) return
      this.#running = this.#flush().finally(() => {
        this.#running = null
        this.#schedule()
      })
    })
  }

  async #flush(): Promise<void> {
    const settled: Settled[] = []
    const started = performance.now()
    try {
      this.#connection.run('begin immediate')
      this.#inTransaction = true
      for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
        settled.push(await this.#one(job))
        if (performance.now() - started > longestBatchMs) break
      }
      this.#connection.run('commit')
      this.#onCommit()
    } catch (error) {
      this.#inTransaction = false
      this.#failed = true
      this.#undo()
      this.#fail(settled, error)
      return
    }
    this.#inTransaction = false
    this.#failed = false
    this.#committedAt = performance.now()
    if (this.#committedAt - started > 1000)
      this.#log.warn('store.slow_commit', { ms: Math.round(this.#committedAt - started), writes: settled.length })
    for (const result of settled) 'error' in result ? result.job.reject(result.error) : result.job.resolve(result.value)
    this.#afterCommit()
  }

  async #one(job: Job): Promise<Settled> {
    this.#connection.run('savepoint one')
    try {
      const value = await job.run()
      this.#connection.run('release one')
      return { job, value }
    } catch (error) {
      // After some errors (a full disk among them) SQLite has undone the whole transaction: then nothing of it may be reported as done.
      if (!this.#connection.db.isTransaction) {
        job.reject(error)
        throw error
      }
      this.#connection.run('rollback to one')
      this.#connection.run('release one')
      return { job, error }
    }
  }

  #undo(): void {
    try {
      if (this.#connection.db.isTransaction) this.#connection.run('rollback')
    } catch (error) {
      this.#log.error('store.rollback_failed', { error })
    }
  }

  // What failed by itself keeps its own error; all others hear that the commit failed.
  #fail(settled: readonly Settled[], cause: unknown): void {
    const failure = cause instanceof StoreUnavailable ? cause : new StoreUnavailable('The store could not commit.', { cause })
    this.#log.error('store.commit_failed', { error: cause, writes: settled.length })
    const waiting = settled.length === 0 ? this.#queue.splice(0) : []
    for (const result of settled) result.job.reject('error' in result ? result.error : failure)
    for (const job of waiting) job.reject(failure)
  }
}
