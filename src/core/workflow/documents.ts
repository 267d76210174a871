import { fault } from '../kernel/fault.ts'
import type { RunRow } from '../../ports/store/rows.ts'
import type { Store } from '../../ports/store/store.ts'
import type { WorkflowDocument } from './document/model.ts'

/** Documents that are kept at hand. */
const capacity = 200

/**
 * The documents of versions, read once each: a version never changes after it was stored. Who changes a draft makes another version.
 */
class WorkflowDocuments {
  readonly #store: Store
  readonly #known = new Map<string, Promise<WorkflowDocument | null>>()

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
    const [oldest] = this.#known.keys()
    if (this.#known.size > capacity && oldest !== undefined) this.#known.delete(oldest)
    return fresh
  }

  /** The document that a run of kind `workflow` carries out. Throws the fault `not_found` when its version is gone. */
  async document(run: Pick<RunRow, 'spec'>): Promise<WorkflowDocument> {
    const id = String(run.spec.version_id)
    const document = await this.ofVersion(id)
    if (!document) throw fault('not_found', { kind: 'workflow version', reference: id }, { private: { kind: 'version', absence: 'missing' } })
    return document
  }

  async #read(id: string): Promise<WorkflowDocument | null> {
    try {
      const row = await this.#store.reader.workflowVersions.byId(id)
      if (!row) this.#known.delete(id)
      return row ? (row.document as unknown as WorkflowDocument) : null // written by us from a document
    } catch (error) {
      this.#known.delete(id)
      throw error
    }
  }
}

export { WorkflowDocuments }
