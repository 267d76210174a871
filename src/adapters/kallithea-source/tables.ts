import { SourceRefused } from '../../ports/import-source.ts'
import { idOf } from './fields.ts'
import type { Raw, Reader } from './reader.ts'

const pageSize = 200

/** The tables that are read. What Kallithea 0.7 has besides stays where it is. */
const needed = [
  ...['users', 'user_ip_map', 'user_email_map', 'user_api_keys', 'user_followings', 'users_groups', 'users_groups_members', 'groups', 'repositories'],
  ...['permissions', 'user_to_perm', 'users_group_to_perm', 'repo_to_perm', 'users_group_repo_to_perm', 'user_repo_group_to_perm'],
  ...['users_group_repo_group_to_perm', 'user_user_group_to_perm', 'user_group_user_group_to_perm', 'gists', 'pull_requests'],
  ...['pull_request_reviewers', 'changeset_comments', 'changeset_statuses'],
]

/** A table that is read page by page, in the order of its key. */
type Paged = {
  readonly table: string
  readonly key: string
  readonly columns: readonly string[]
  readonly where?: string
  readonly values?: readonly number[]
  readonly after?: number
}

/** Reads rows of a database that was found to be Kallithea's. */
type SourceTables = {
  readonly names: ReadonlySet<string>
  all(text: string, values?: readonly (string | number)[]): Promise<readonly Raw[]>
  pages(paged: Paged): AsyncGenerator<readonly Raw[]>
  /** The rows that belong to these ids, by the id. `from` is what stands behind "from"; `column` what they belong by. */
  related(select: string, column: string, ids: readonly number[], order: string): Promise<ReadonlyMap<number, readonly Raw[]>>
  highest(table: string, key: string): Promise<number>
  count(table: string, where?: string): Promise<number>
}

/** Looks whether the database is one of Kallithea 0.7. `SourceRefused` where it is not. */
async function openTables(reader: Reader): Promise<SourceTables> {
  const all = async (text: string, values: readonly (string | number)[] = []) => {
    try {
      return await reader.all(text, values)
    } catch (error) {
      throw new SourceRefused(`The database cannot be read as one of Kallithea 0.7: ${error instanceof Error ? error.message : String(error)}.`, {
        cause: error,
      })
    }
  }
  const names = new Set((await all(reader.tablesText)).map(({ name }) => String(name)))
  const missing = needed.filter((name) => !names.has(name))
  if (missing.length > 0) {
    throw new SourceRefused(
      `This is no database of Kallithea 0.7: it has no table ${missing.join(', ')}. Bring that installation up to 0.7 first, or name its database.`,
    )
  }
  return {
    names,
    all,
    async *pages({ table, key, columns, where = '1 = 1', values = [], after = 0 }) {
      for (let last = after; ; ) {
        const text = `select ${columns.join(', ')} from "${table}" where ${where} and ${key} > ? order by ${key} limit ${pageSize}`
        const rows = await all(text, [...values, last])
        if (rows.length > 0) yield rows
        if (rows.length < pageSize) return
        const next = idOf(rows.at(-1) ?? {}, key)
        if (next <= last) throw new SourceRefused(`The table ${table} has a row whose ${key} is no number.`)
        last = next
      }
    },
    async related(select, column, ids, order) {
      const found = new Map<number, Raw[]>()
      if (ids.length === 0) return found
      const marks = ids.map(() => '?').join(', ')
      for (const row of await all(`${select} where ${column} in (${marks}) order by ${order}`, ids)) {
        const of = idOf(row, 'of')
        found.set(of, [...(found.get(of) ?? []), row])
      }
      return found
    },
    async highest(table, key) {
      const [row] = await all(`select max(${key}) as highest from "${table}"`)
      return idOf(row ?? {}, 'highest')
    },
    async count(table, where = '1 = 1') {
      const [row] = await all(`select count(*) as count from "${table}" where ${where}`)
      return idOf(row ?? {}, 'count')
    },
  }
}

/** A column of text, as much of it as is wanted. */
function part(column: string, longest: number, as = column): string {
  return `substr(${column}, 1, ${longest}) as ${as}`
}

/** A column of time, as text. */
function time(column: string): string {
  return `cast(${column} as text) as ${column}`
}

export type { SourceTables }
export { openTables, part, time }
