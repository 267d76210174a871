import { seal } from '../kernel/schema.ts'
import { namesOf, Repository, viewRepository } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { ResourceKey, ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Names, RepositoryView } from './view.ts'

type Kept = { readonly row: ResourceRow; readonly bytes: number; view: RepositoryView | null }

/**
 * Remembers repositories by id and version, for long lists: whichever server changes one counts its version up in the commit of the change. What is asked of
 * other rows (the owner's name, whether the parent of a fork may be read) is asked each time. Those kept longest go first.
 */
class KnownRepositories {
  readonly #kept = new Map<string, Kept>()
  readonly #largest: number
  #bytes = 0

  constructor(options: { largest: number }) {
    this.#largest = options.largest
  }

  /**
   * The views of what was just found, in its order. Null when one of them was changed meanwhile: who may see it was decided for what it was before. Only for
   * readers of what is committed.
   */
  async views(ctx: Ctx, keys: readonly ResourceKey[]): Promise<RepositoryView[] | null> {
    const kept = await this.#read(ctx.db, keys)
    if (!kept) return null
    const names = await namesOf(
      ctx,
      kept.map(({ row }) => row),
    )
    return kept.map((one) => look(ctx, one, names))
  }

  async #read(tables: Tables, keys: readonly ResourceKey[]): Promise<Kept[] | null> {
    const unknown = keys.filter(({ id, version }) => this.#kept.get(id)?.row.version !== version).map(({ id }) => id)
    const found = unknown.length === 0 ? [] : await tables.resources.byIds(unknown)
    const read = new Map(found.map((row) => [row.id, { row, bytes: 2000 + 3 * JSON.stringify(row.spec).length, view: null }]))
    const all: Kept[] = []
    for (const { id, version } of keys) {
      const one = read.get(id) ?? this.#kept.get(id)
      if (one?.row.version !== version) return null
      all.push(one)
    }
    for (const one of read.values()) this.#keep(one)
    return all
  }

  #keep(one: Kept): void {
    this.#drop(one.row.id)
    this.#kept.set(one.row.id, one)
    this.#bytes += one.bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#largest) break
      this.#drop(oldest)
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0
    this.#kept.delete(id)
  }
}

function look(ctx: Ctx, kept: Kept, names: Names): RepositoryView {
  const { row, view } = kept
  const now = { owner: ownerIn(names, row), fork_of: parentIn(names, row) }
  if (view && view.owner === now.owner && view.fork_of === now.fork_of) return view
  kept.view = seal(Repository, viewRepository(ctx, row, names))
  return kept.view
}

function ownerIn({ owners }: Names, { owner_id }: ResourceRow): string | null {
  return (owner_id && owners.get(owner_id)) || null
}

function parentIn({ parents }: Names, { spec }: ResourceRow): string | null {
  return (typeof spec.fork_of === 'string' && parents.get(spec.fork_of)) || null
}

const known = new WeakMap<object, KnownRepositories>()

/** What this server remembers of its repositories. */
function knownOf({ store }: Services): KnownRepositories {
  const found = known.get(store) ?? new KnownRepositories({ largest: 8 * 1024 * 1024 })
  known.set(store, found)
  return found
}

export { knownOf }
