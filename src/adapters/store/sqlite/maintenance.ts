import { statSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { ownProgram } from '../../../core/kernel/own-file.ts'
import { StoreUnavailable } from '../../../ports/store/store.ts'
import type { Log } from '../../../core/kernel/log.ts'

export type Order =
  | { readonly id: number; readonly what: 'passive' | 'restart' | 'truncate' }
  | { readonly id: number; readonly what: 'backup'; readonly file: string }
export type Answer = { readonly id: number; readonly frames: number } | { readonly id: number; readonly error: string }

type Work = { readonly what: 'passive' | 'restart' | 'truncate' } | { readonly what: 'backup'; readonly file: string }

// Below this the log is left as it is: a quiet server starts no thread at all.
const worthwhileBytes = 4 * 1024 * 1024
const betweenMs = 250
// Under steady writes the log never comes to its end by passive checkpoints alone: beyond this (16 MiB of pages) writes are held back for one that does,
// and the log begins anew in the same file. Writing over a file is quicker than making it longer, so the file is only cut when it is far too long.
const largeFrames = 4096
const hugeBytes = 128 * 1024 * 1024

/** Keeps the write-ahead log small, and makes backups, on a thread of its own that is started when first needed. */
export class Maintenance {
  readonly #file: string
  readonly #log: Log
  readonly #hold: (work: () => Promise<unknown>) => Promise<unknown>
  #worker: Worker | null = null
  #waiting = new Map<number, { resolve(frames: number): void; reject(error: Error): void }>()
  #nextId = 1
  #busy = false
  #closed = false
  #lookedAt = 0

  /** `hold` keeps writes back while its work is under way. */
  constructor(file: string, options: { log: Log; hold: (work: () => Promise<unknown>) => Promise<unknown> }) {
    this.#file = file
    this.#log = options.log
    this.#hold = options.hold
  }

  /** To be called after every commit; mostly does nothing. */
  readonly committed = (): void => {
    const now = performance.now()
    if (this.#busy || now - this.#lookedAt < betweenMs) return
    this.#lookedAt = now
    const size = statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0
    if (size < worthwhileBytes) return
    this.#busy = true
    this.#checkpoint(size)
      // One that the end of the store cut off is made by the last connection that closes.
      .catch((error: unknown) => {
        if (!this.#closed) this.#log.warn('store.checkpoint_failed', { error })
      })
      .finally(() => {
        this.#busy = false
      })
  }

  async backup(file: string): Promise<void> {
    await this.#order({ what: 'backup', file })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    this.#closed = true
    this.#failAll('The store is closed.')
    await worker?.terminate()
  }

  async #checkpoint(size: number): Promise<void> {
    const frames = await this.#order({ what: 'passive' })
    if (frames > largeFrames) await this.#hold(() => this.#order({ what: size > hugeBytes ? 'truncate' : 'restart' }))
  }

  #order(work: Work): Promise<number> {
    const worker = (this.#worker ??= this.#start())
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      worker.postMessage({ id, ...work } satisfies Order)
    })
  }

  #start(): Worker {
    const worker = new Worker(ownProgram('adapters/store/sqlite/maintenance-worker'), {
      workerData: { file: this.#file },
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    })
    worker.unref()
    worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(new StoreUnavailable(`The store's maintenance failed: ${answer.error}.`))
      else waiting?.resolve(answer.frames)
    })
    worker.on('error', (error) => {
      this.#log.error('store.maintenance_died', { error })
      if (this.#worker === worker) this.#worker = null
      this.#failAll('The thread for maintenance has ended.')
    })
    return worker
  }

  #failAll(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new StoreUnavailable(why))
    this.#waiting.clear()
  }
}
