import { setImmediate as turn } from 'node:timers/promises'
import { Pieces } from './route.ts'
import type { Doing } from './route.ts'

type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null }

type Listing<Item> = {
  /** The member of the answer that holds the list. */
  readonly member: string
  readonly operation: string
  readonly input?: Readonly<Record<string, unknown>>
  readonly encode: (item: Item) => unknown
  /** How many are read at once. */
  readonly atOnce?: number
  /** How many are given at most; all when left out. */
  readonly limit?: number
}

const mostAtOnce = 1000

/** A list in its wrapper: one answer while it is short; a long one is sent while its pages are read, so that it is never whole in memory. */
async function listed<Item>(doing: Doing, listing: Listing<Item>): Promise<unknown> {
  const { member, encode } = listing
  const first = await pageOf(doing, listing, listing.limit)
  if (first.next === null || first.items.length === listing.limit) return { [member]: first.items.map(encode) }
  async function* pieces(): AsyncGenerator<string> {
    yield `{${JSON.stringify(member)}:[`
    let separator = ''
    let left = listing.limit
    for (let page: Page<Item> | null = first; page !== null; ) {
      for (const item of page.items) {
        yield separator + JSON.stringify(encode(item))
        separator = ','
      }
      if (left !== undefined) left -= page.items.length
      // A long list must not keep everybody else waiting until its end.
      await turn()
      page = page.next === null || left === 0 ? null : await pageOf(doing, listing, left, page.next)
    }
    yield ']}'
  }
  return new Pieces(pieces())
}

/**
 * A list whose order changes while it is read, in its wrapper: its ids are asked for at once, and what they stand for part by part, so that nothing is in it
 * twice and nothing is left out.
 */
async function listedByIds<Item>(
  doing: Doing,
  ids: readonly string[],
  listing: Omit<Listing<Item>, 'limit' | 'input'> & { readonly input: object },
): Promise<unknown> {
  const { member, operation, input, encode, atOnce = mostAtOnce } = listing
  const read = async (from: number) =>
    (await doing.invoke<Page<Item>>(operation, { ...input, jobs: ids.slice(from, from + atOnce) })).items.map(encode)
  if (ids.length <= atOnce) return { [member]: ids.length === 0 ? [] : await read(0) }
  async function* pieces(): AsyncGenerator<string> {
    yield `{${JSON.stringify(member)}:[`
    let separator = ''
    for (let from = 0; from < ids.length; from += atOnce) {
      for (const item of await read(from)) {
        yield separator + JSON.stringify(item)
        separator = ','
      }
      await turn()
    }
    yield ']}'
  }
  return new Pieces(pieces())
}

/** Every item of a list, for lists that are short by their nature. */
async function allOf<Item>(doing: Doing, operation: string, input: Readonly<Record<string, unknown>> = {}): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: Page<Item> = await doing.invoke(operation, { ...input, limit: mostAtOnce, ...(cursor === null ? {} : { cursor }) })
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return items
}

function pageOf<Item>(
  { invoke }: Doing,
  { operation, input, atOnce = mostAtOnce }: Listing<Item>,
  left: number | undefined,
  cursor?: string,
): Promise<Page<Item>> {
  const limit = Math.min(left ?? atOnce, atOnce)
  return invoke(operation, { ...input, limit, ...(cursor === undefined ? {} : { cursor }) })
}

export type { Page, Listing }
export { listed, listedByIds, allOf }
