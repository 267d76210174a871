import { largestLimit } from '../kernel/page.ts'
import { system, viewerOf } from '../identity/principal.ts'
import type { Page } from '../kernel/page.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { ResourceFilter, Tables } from '../../ports/store/tables.ts'

/** All resources that a filter names, by name, page by page, whoever may see them. */
async function* everyRow(db: Tables, filter: ResourceFilter): AsyncGenerator<ResourceRow> {
  let after: readonly (string | number)[] | null = null
  for (;;) {
    const page: Page<ResourceRow> = await db.resources.page(
      filter,
      viewerOf(system),
      { need: 'none', ownerIsAdmin: false },
      { limit: largestLimit, after },
    )
    yield* page.items
    const last = page.items.at(-1)
    if (page.next === null || last === undefined) return
    after = [last.name]
  }
}

/** All resources of a kind below a path. */
function rowsBelow(db: Tables, kind: string, path: string): AsyncGenerator<ResourceRow> {
  return everyRow(db, { kind, prefix: `${path}/` })
}

export { everyRow, rowsBelow }
