import type { Reference } from './reference.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

// No name of these begins with "_" and goes on with digits, so `_<serial>` can stand for them everywhere (Kallithea contract §12.1).
const numbered: readonly string[] = ['repository', 'repository-group', 'group', 'gist']

/** The row of a resource that a reference names: by id, by name, or as `_<serial>` where that kind shows its serials. Deleted ones are none. */
async function resourceAt(tables: Tables, { kind, id, name }: Reference): Promise<ResourceRow | null> {
  const row = await (id !== null ? tables.resources.byId(id) : named(tables, kind, name ?? ''))
  return row && row.deleted_at === null && row.kind === kind ? row : null
}

function named(tables: Tables, kind: string, name: string): Promise<ResourceRow | null> {
  const serial = numbered.includes(kind) ? /^_([1-9][0-9]{0,14})$/.exec(name)?.[1] : undefined
  return serial === undefined ? tables.resources.byName(kind, name) : tables.resources.bySerial(kind, Number(serial))
}

export { resourceAt }
