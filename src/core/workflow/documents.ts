import { fault } from '../kernel/fault.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Store } from '../../ports/store/store.ts'
import type { WorkflowDocument } from './document/model.ts'

/** Documents that are kept at hand, and characters of all of them: one may be megabytes, and takes several times that in memory. */
const capacity = 200
const mostCharacters = 32 * 1024 * 1024

/**
 * The documents of versions, read once each: a version never changes after it was stored. Who changes a draft makes another version.
 */
class WorkflowDocuments {
  readonly #store: Store
  readonly #known = new Map<string, Promise<WorkflowDocument | null>>()
  readonly #sizes = new Map<string, number>()
  #characters = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** The document of a version; null when there is no such version. */
  ofVersion(id: string): Promise<WorkflowDocument | null> {
    const known = this.#known.get(id)
    if (known) {
      // Taken out and put back: the first of the map is the one that nobody asked for the longest.
      this.#known.delete(id)
      this.#known.set(id, known)
      return known
    }
    const fresh = this.#read(id)
    this.#known.set(id, fresh)
    this.#shrink()
    return fresh
  }

  /** The document that a run of kind `workflow` carries out. Throws the fault `not_found` when its version is gone. */
  async document(run: Pick<RunRow, 'spec'>): Promise<WorkflowDocument> {
    const id = String(run.spec.version_id)
    const document = await this.ofVersion(id)
    if (!document) throw fault('not_found', { kind: 'workflow version', reference: id }, { private: { kind: 'version', absence: 'missing' } })
    return document
  }

  #measure(id: string, document: JsonObject): void {
    const size = JSON.stringify(document).length
    this.#sizes.set(id, size)
    this.#characters += size
    this.#shrink()
  }

  #shrink(): void {
    for (const id of this.#known.keys()) {
      if (this.#known.size <= capacity && this.#characters <= mostCharacters) return
      this.#known.delete(id)
      this.#characters -= this.#sizes.get(id) ?? 0
      this.#sizes.delete(id)
    }
  }

  async #read(id: string): Promise<WorkflowDocument | null> {
    try {
      const row = await this.#store.reader.workflowVersions.byId(id)
      if (row && this.#known.has(id)) this.#measure(id, row.document)
      if (!row) this.#known.delete(id)
      return row ? (row.document as unknown as WorkflowDocument) : null // written by us from a document
    } catch (error) {
      this.#known.delete(id)
      throw error
    }
  }
}

export { WorkflowDocuments }
