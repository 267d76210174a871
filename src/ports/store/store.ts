import type { Tables } from './tables.ts'
import type { EngineActs } from './runs.ts'

/**
 * The one place where data lives. Two kinds of writes are kept apart: the engine's acts (data in, data out, freely batched by the adapter) and ordinary
 * transactions of operations (a closure that awaits nothing but the store: never git, a process or the network, because every other writer waits for it).
 */
type Store = {
  readonly engine: EngineActs
  /** Reads outside any transaction, on a connection that never sees uncommitted rows. Each statement sees what was committed before it. */
  readonly reader: Tables
  /** Several reads of one snapshot. */
  read<T>(work: (tables: Tables) => Promise<T>): Promise<T>
  /**
   * Runs `work` in a transaction and resolves after it is durable. Many writes may share one commit; each is undone alone when it throws.
   * A broken rule of uniqueness throws `DuplicateKey`; a full disk or a lost connection `StoreUnavailable`, and then nothing of it is there.
   */
  write<T>(work: (tables: Tables) => Promise<T>): Promise<T>
  /** Null when it can be written, else why not. */
  health(): Promise<string | null>
  /** Milliseconds that one durable commit of one small row took just now. */
  measureCommit(): Promise<number>
  /** A consistent copy of the whole store in `file`. Engines that have their own tools for it say so with a `StoreUnavailable`. */
  backup(file: string): Promise<void>
  /** What other servers of this store said; own messages are delivered too. A hint: may be lost, so nothing may depend on it alone. */
  readonly bus: StoreBus
  close(): Promise<void>
}

type StoreBus = {
  publish(topic: string, message: string): void
  subscribe(topic: string, listener: (message: string) => void): () => void
}

/** A row with the same unique value exists. `key` is `<table>.<column>`. */
class DuplicateKey extends Error {
  override readonly name = 'DuplicateKey'
  readonly key: string

  constructor(key: string, options: { cause?: unknown } = {}) {
    super(`A row with this ${key} exists`, options)
    this.key = key
  }
}

/** The store cannot do it now (disk full, connection lost, closing). Nothing of the write is there. */
class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/** The store cannot be opened at all: newer than the program, locked by another server, damaged. The message is one line for the operator. */
class StoreRefused extends Error {
  override readonly name = 'StoreRefused'
}

export type { Store, StoreBus }
export { DuplicateKey, StoreUnavailable, StoreRefused }
