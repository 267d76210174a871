import { textFinder } from '../../../kernel/find-text.ts'
import { canonical } from '../../../kernel/json.ts'
import { flagMember, memberOf, textMember } from '../../document/members.ts'
import { textOf } from '../../language/path.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput, numberInput, objectAt, pathInput } from '../input.ts'
import { boundedList } from '../size.ts'
import { arraySpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** Work on arrays. */
const arrayPlugin = builtinPlugin('array', arraySpec, {
  map: pure((input) => {
    const found = listInput(input, 'array').map(pathInput(input, 'path'))
    return counted(flagMember(input, 'skip_missing') ? found.filter((item) => item !== undefined) : found.map((item) => item ?? null))
  }),
  pick: pure((input) => {
    const names = new Set(listInput(input, 'members').map(textOf))
    const array = listInput(input, 'array')
    return counted(array.map((_, index) => Object.fromEntries(Object.entries(objectAt(array, index, 'array')).filter(([name]) => names.has(name)))))
  }),
  filter: pure(filter),
  sort: pure((input) => {
    const value = pathInput(input, 'path')
    const sign = flagMember(input, 'descending') ? -1 : 1
    // What it is sorted by is made once for each: an object would be written out at every comparison.
    const keyed = listInput(input, 'array').map((item) => {
      const found = value(item) ?? null
      return { item, missing: Number(found === null), key: sortable(found) }
    })
    // What is missing stays at the end, whichever way the rest goes.
    keyed.sort((a, b) => a.missing - b.missing || sign * compare(a.key, b.key))
    return { items: keyed.map(({ item }) => item) }
  }),
  unique: pure((input) => {
    const value = pathInput(input, 'path')
    const seen = new Set<string>()
    const items = listInput(input, 'array').filter((item) => {
      const key = canonical(value(item) ?? null)
      return !seen.has(key) && seen.add(key)
    })
    return counted(items)
  }),
  flatten: pure((input) => {
    const depth = numberInput(input, 'depth')
    if (depth < 1 || depth > 10) throw new ActionFailed('"depth" is a number from 1 to 10')
    let items = listInput(input, 'array')
    for (let level = 0; level < depth; level++) items = boundedList(items.flat())
    return counted(items)
  }),
  chunk: pure((input) => {
    const size = numberInput(input, 'size')
    if (size < 1) throw new ActionFailed('"size" is 1 or more')
    const array = listInput(input, 'array')
    const chunks: Json[] = []
    for (let from = 0; from < array.length; from += size) chunks.push(array.slice(from, from + size))
    return { chunks: boundedList(chunks), count: chunks.length }
  }),
  count: pure((input) => ({ count: listInput(input, 'array').length })),
  item: pure((input) => {
    const item = listInput(input, 'array').at(numberInput(input, 'index'))
    return item === undefined ? { found: false } : { found: true, item }
  }),
  group: pure((input) => {
    const value = pathInput(input, 'path')
    const groups = new Map<string, Json[]>()
    for (const item of listInput(input, 'array')) {
      const key = textOf(value(item))
      const known = groups.get(key)
      if (known) known.push(item)
      else groups.set(key, [item])
    }
    const listed = boundedList([...groups].map(([key, items]) => ({ key, items, count: items.length })))
    return { groups: listed, count: listed.length }
  }),
  sum: pure(sum),
})

function sum(input: JsonObject): JsonObject {
  const value = pathInput(input, 'path')
  let [total, count, smallest, largest] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const [index, item] of listInput(input, 'array').entries()) {
    const found = value(item)
    if (found === undefined || found === null || found === '') continue
    const number = typeof found === 'number' ? found : typeof found === 'string' ? numberOf(found) : null
    if (number === null) throw new ActionFailed(`Element ${index} has no number there, but ${textOf(found).slice(0, 60)}`)
    total += number
    count++
    smallest = Math.min(smallest, number)
    largest = Math.max(largest, number)
  }
  if (!Number.isFinite(total)) throw new ActionFailed('The sum is larger than numbers can be')
  return count === 0 ? { sum: 0, count } : { sum: total, count, average: total / count, smallest, largest }
}

function counted(items: Json[]): JsonObject {
  return { items, count: items.length }
}

/** What elements are compared with, made ready once: it may be as large as the list. */
type Wanted = {
  readonly text: string
  readonly number: number | null
  readonly fold: (text: string) => string
  /** As the element is sorted. */
  readonly key: number | string
  readonly find: (text: string) => number
}

type Test = (value: Json | undefined, wanted: Wanted) => boolean

const tests: Readonly<Record<string, Test>> = {
  equals: (value, wanted) => value !== undefined && same(value, wanted),
  not_equals: (value, wanted) => value === undefined || !same(value, wanted),
  // Of a list: one of its elements; of anything else: a part of its text.
  contains: (value, wanted) => (Array.isArray(value) ? value.some((item) => same(item, wanted)) : wanted.find(wanted.fold(textOf(value))) >= 0),
  starts_with: (value, { text, fold }) => fold(textOf(value)).startsWith(text),
  ends_with: (value, { text, fold }) => fold(textOf(value)).endsWith(text),
  greater: (value, { key }) => isComparable(value) && compare(sortable(value), key) > 0,
  less: (value, { key }) => isComparable(value) && compare(sortable(value), key) < 0,
  exists: (value) => value !== undefined,
  empty: (value) => value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0),
}

function filter(input: JsonObject): JsonObject {
  const value = pathInput(input, 'path')
  const given = textMember(input, 'value')
  const operator = textMember(input, 'operator')
  const test = Object.hasOwn(tests, operator) ? tests[operator] : undefined
  if (!test) throw new ActionFailed(`There is no operator "${operator}"`)
  const fold = memberOf(input, 'ignore_case') === true ? (text: string) => text.toLowerCase() : (text: string) => text
  const text = fold(given)
  const wanted: Wanted = { text, number: numberOf(given), fold, key: sortable(given), find: textFinder(text) }
  const items: Json[] = []
  const others: Json[] = []
  for (const item of listInput(input, 'array')) (test(value(item), wanted) ? items : others).push(item)
  return { items, others, count: items.length }
}

function same(value: Json, { number, text, fold }: Wanted): boolean {
  return typeof value === 'number' && number !== null ? value === number : fold(textOf(value)) === text
}

function isComparable(value: Json | undefined): boolean {
  return typeof value === 'number' || typeof value === 'string'
}

function numberOf(text: string): number | null {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : null
}

/** Numbers by size, before texts; texts by their characters, and those that are numbers both by size. */
function compare(left: number | string, right: number | string): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}

function sortable(value: Json | undefined): number | string {
  if (typeof value === 'number') return value
  const text = textOf(value)
  return numberOf(text) ?? text
}

export { arrayPlugin }
