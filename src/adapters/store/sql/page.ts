import { fault } from '../../../core/kernel/fault.ts'
import { pageOf } from '../../../core/kernel/page.ts'
import type { Page, PageRequest } from '../../../core/kernel/page.ts'
import type { Codec } from './codec.ts'
import { where } from './sql.ts'
import type { Part, Raw, Sql, Value } from './sql.ts'

/** The members that a list is ordered by; the last makes the order total, so that no row is shown twice or left out. */
type Order = {
  readonly by: readonly { readonly column: string; readonly kind: 'text' | 'number' }[]
  readonly direction: 'asc' | 'desc'
}

/** What comes after the page before. A cursor is sent by the caller, so its parts are checked here: a text bound to a number breaks a statement. */
function keyset(order: Order, page: PageRequest): Part | null {
  if (page.after === null) return null
  const { after } = page
  const fits =
    after.length === order.by.length &&
    order.by.every(({ kind }, index) => (kind === 'number' ? Number.isSafeInteger(after[index]) : typeof after[index] === 'string'))
  if (!fits) throw fault('invalid_input', { operation: 'the list', count: 1, first: '/cursor is not a cursor of this list' })
  const columns = order.by.map(({ column }) => column)
  const than = order.direction === 'asc' ? '>' : '<'
  if (columns.length === 1) return { text: `${columns[0]} ${than} ?`, values: after }
  return { text: `(${columns.join(', ')}) ${than} (${columns.map(() => '?').join(', ')})`, values: after }
}

/** One page of a table in one statement. */
async function readPage<Row extends object>(
  sql: Sql,
  options: {
    codec: Codec<Row>
    alias: string
    conditions: readonly (Part | null)[]
    order: Order
    page: PageRequest
    position: (row: Row, raw: Raw) => readonly (string | number)[]
    further?: readonly string[]
    /** An index to read by; its condition is one of `conditions`. */
    index?: string | null
  },
): Promise<Page<Row>> {
  const { codec, alias, order, page } = options
  const filter = where([...options.conditions, keyset(order, page)])
  const sorting = order.by.map(({ column }) => `${column} ${order.direction}`).join(', ')
  const list = [codec.listOf(alias), ...(options.further ?? [])].join(', ')
  const by = options.index ? sql.dialect.by(options.index) : ''
  const values: Value[] = [...filter.values, page.limit + 1]
  const raws = await sql.all(`select ${list} from ${codec.table} ${alias}${by}${filter.text} order by ${sorting} limit ?`, values)
  const rows = raws.map((raw) => ({ row: codec.decode(raw), raw }))
  const made = pageOf(rows, page.limit, ({ row, raw }) => options.position(row, raw))
  return { items: made.items.map(({ row }) => row), next: made.next }
}

export type { Order }
export { keyset, readPage }
