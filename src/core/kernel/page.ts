import { fault } from './fault.ts'

/** A piece of a list. `next` is the cursor of the following piece, null at the end. */
type Page<T> = { items: T[]; next: string | null }

type PageRequest = { limit: number; after: readonly (string | number)[] | null }

const defaultLimit = 50
const largestLimit = 1000

/** What a list's `limit` and `cursor` ask for. A cursor that is not one of ours: `invalid_input`. */
function pageRequest(input: { limit?: number | undefined; cursor?: string | undefined }): PageRequest {
  return { limit: Math.min(input.limit ?? defaultLimit, largestLimit), after: input.cursor ? decodeCursor(input.cursor) : null }
}

/** Makes the page of rows read with `limit + 1`: the extra row only says that there is more. */
function pageOf<T>(rows: readonly T[], limit: number, position: (row: T) => readonly (string | number)[]): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null }
}

/** The page of what is shown of the rows of a page. */
async function viewPage<Row, View>(page: Promise<Page<Row>>, views: (rows: Row[]) => View[] | Promise<View[]>): Promise<Page<View>> {
  const { items, next } = await page
  return { items: await views(items), next }
}

function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

function decodeCursor(cursor: string): readonly (string | number)[] {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(position) && position.length > 0 && position.every((part) => typeof part === 'string' || typeof part === 'number'))
      return position
  } catch {}
  throw fault('invalid_input', { operation: 'the list', count: 1, first: '/cursor is not a cursor that a list of this server gave' })
}

export type { Page, PageRequest }
export { largestLimit, pageRequest, pageOf, viewPage, encodeCursor }
