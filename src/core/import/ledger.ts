import type { JsonObject } from '../kernel/json.ts'
import type { ImportSource, SourceKind } from '../../ports/import-source.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** What a thing of the source has become here. */
type Brought = { readonly id: string; readonly serial: number; readonly name: string }

type Entry = SourceKind | 'everyone' | 'group-grants' | 'comments-of-pull-request' | 'comments-of-repository'

/**
 * What was brought of an installation, by the ids it had there. An entry is written in the commit of what it stands for: whatever a kill leaves, a second
 * run finds it, and makes nothing twice. In a dry run entries are only remembered.
 */
class Ledger {
  readonly #reader: Tables
  readonly #prefix: string
  readonly #dry: Map<string, JsonObject> | null

  constructor(reader: Tables, source: Pick<ImportSource, 'product' | 'mark'>, options: { dryRun: boolean }) {
    this.#reader = reader
    this.#prefix = `import:${source.product}:${source.mark}`
    this.#dry = options.dryRun ? new Map() : null
  }

  async find(kind: SourceKind, id: number): Promise<Brought | null> {
    const entry = await this.entry(kind, id)
    // Written by `keep` only.
    return entry as Brought | null
  }

  async entry(kind: Entry, id: number): Promise<JsonObject | null> {
    const key = this.#key(kind, id)
    return this.#dry?.get(key) ?? (await this.#reader.settings.get(key))
  }

  /** To be called in the transaction of what it stands for. */
  async keep(tables: Pick<Tables, 'settings'>, kind: Entry, id: number, entry: JsonObject): Promise<void> {
    await tables.settings.set(this.#key(kind, id), entry)
  }

  /** Remembers what a dry run would have made. */
  pretend(kind: Entry, id: number, entry: JsonObject): void {
    this.#dry?.set(this.#key(kind, id), entry)
  }

  #key(kind: Entry, id: number): string {
    return `${this.#prefix}:${kind}:${id}`
  }
}

export type { Brought }
export { Ledger }
