import { deeperThan, isObject } from '../kernel/json.ts'
import type { Json } from '../kernel/json.ts'

/** What a function may use up: each call pays for what it walks through, and says what it cannot do. */
type Meter = { pay(steps: number): void; wrong(message: string): Error; tooLong(): Error }

/** Characters of one text that an expression makes. */
const longestText = 1024 * 1024

const deepest = 100

type PureFunction = { readonly least: number; readonly most: number; readonly run: (meter: Meter, args: readonly Json[]) => Json }

const functions: Readonly<Record<string, PureFunction>> = {
  length: one((meter, value) => {
    if (typeof value === 'string') return characters(payText(meter, value))
    if (Array.isArray(value)) return value.length
    if (isObject(value)) return payKeys(meter, value).length
    throw meter.wrong('length() takes a text, a list or an object')
  }),
  contains: two((meter, whole, part) => {
    if (Array.isArray(whole)) return whole.some((item) => equal(meter, item, part))
    if (isObject(whole)) return Object.hasOwn(whole, textOf(meter, part))
    return payText(meter, whole).includes(textOf(meter, part))
  }),
  starts_with: two((meter, whole, part) => payText(meter, whole).startsWith(textOf(meter, part))),
  ends_with: two((meter, whole, part) => payText(meter, whole).endsWith(textOf(meter, part))),
  lower: one((meter, value) => payText(meter, value).toLowerCase()),
  upper: one((meter, value) => payText(meter, value).toUpperCase()),
  trim: one((meter, value) => payText(meter, value).trim()),
  split: two((meter, whole, separator) => {
    const parts = payText(meter, whole).split(textOf(meter, separator))
    meter.pay(parts.length)
    return parts
  }),
  join: two((meter, list, separator) => {
    const between = textOf(meter, separator)
    let length = 0
    const parts = listOf(meter, list).map((item) => {
      const text = asText(meter, item)
      length += text.length + between.length
      if (length > longestText) throw meter.tooLong()
      return text
    })
    return parts.join(between)
  }),
  replace: {
    least: 3,
    most: 3,
    run(meter, [whole = null, from = null, to = null]) {
      const [text, old, fresh] = [payText(meter, whole), textOf(meter, from), payText(meter, to)]
      if (old === '') throw meter.wrong('replace() needs something to look for')
      const parts = text.split(old)
      meter.pay(parts.length)
      if (text.length + (parts.length - 1) * (fresh.length - old.length) > longestText) throw meter.tooLong()
      return parts.join(fresh)
    },
  },
  slice: {
    least: 2,
    most: 3,
    run(meter, [value = null, from = null, to]) {
      const end = to === undefined ? undefined : numberOf(meter, to)
      if (!Array.isArray(value)) return payText(meter, value).slice(numberOf(meter, from), end)
      meter.pay(value.length)
      return value.slice(numberOf(meter, from), end)
    },
  },
  keys: one((meter, value) => payKeys(meter, objectOf(meter, value))),
  values: one((meter, value) => payKeys(meter, objectOf(meter, value)).map((key) => (value as Record<string, Json>)[key] as Json)), // checked in objectOf
  first: one((meter, value) => listOf(meter, value)[0] ?? null),
  last: one((meter, value) => listOf(meter, value).at(-1) ?? null),
  min: many((meter, args) => Math.min(...numbersOf(meter, args))),
  max: many((meter, args) => Math.max(...numbersOf(meter, args))),
  abs: one((meter, value) => Math.abs(numberOf(meter, value))),
  floor: one((meter, value) => Math.floor(numberOf(meter, value))),
  ceil: one((meter, value) => Math.ceil(numberOf(meter, value))),
  round: one((meter, value) => Math.round(numberOf(meter, value))),
  number: one((meter, value) => {
    if (typeof value === 'number') return value
    const text = textOf(meter, value).trim()
    const number = Number(text)
    if (text === '' || text.length > 400 || !Number.isFinite(number)) throw meter.wrong('number() takes the text of a number')
    return number
  }),
  text: one((meter, value) => asText(meter, value)),
  json: one((meter, value) => jsonText(meter, value)),
  parse_json: one((meter, source) => {
    const text = payText(meter, source)
    meter.pay(text.length)
    const value = parsed(text)
    if (value === undefined || deeperThan(value, deepest)) throw meter.wrong('parse_json() takes the text of a JSON document of at most 100 levels')
    return value
  }),
  type: one((_, value) => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value === 'string' ? 'text' : typeof value)),
}

/** Every function of the language. `defined` is one of them although it is not a function of a value: it asks whether a path leads anywhere. */
const functionNames: ReadonlySet<string> = new Set([...Object.keys(functions), 'defined'])

/** Calls a function of the list with values; the wrong number of them is an error of the meter. */
function callFunction(meter: Meter, name: string, args: readonly Json[]): Json {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (!found || args.length < found.least || args.length > found.most) throw meter.wrong(`${name}() is called with ${args.length} values`)
  return found.run(meter, args)
}

/** Whether two values are the same data, members in any order. */
function equal(meter: Meter, left: Json, right: Json, level = 0): boolean {
  meter.pay(1)
  if (level > 10 * deepest) throw meter.wrong('this is nested too deeply to be compared')
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    if (typeof left === 'string' && typeof right === 'string') payText(meter, left)
    return left === right
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => equal(meter, item, right[index] as Json, level + 1))
    )
  }
  const keys = payKeys(meter, left)
  if (keys.length !== payKeys(meter, right).length) return false
  return keys.every((key) => Object.hasOwn(right, key) && equal(meter, left[key] as Json, right[key] as Json, level + 1)) // own members, just listed
}

/** How a value looks inside a text: text as it is, null as nothing, the rest as JSON. */
function asText(meter: Meter, value: Json): string {
  return typeof value === 'string' ? payText(meter, value) : value === null ? '' : jsonText(meter, value)
}

/** About how many characters a value is as JSON. Walks through all of it, and pays for that. */
function sizeOf(meter: Pick<Meter, 'pay'>, value: Json): number {
  const open: Json[] = [value]
  let length = 0
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    meter.pay(1)
    length += typeof item === 'string' ? item.length + 2 : 5
    if (typeof item !== 'object' || item === null) continue
    if (!Array.isArray(item)) for (const key of Object.keys(item)) length += key.length + 3
    for (const inner of Object.values(item)) open.push(inner)
  }
  return length
}

function jsonText(meter: Meter, value: Json): string {
  // Measured before it is made: the text of a large output must not be built only to be refused.
  if (sizeOf(meter, value) > longestText) throw meter.tooLong()
  try {
    return JSON.stringify(value)
  } catch {
    throw meter.wrong('this is nested too deeply to be shown as text')
  }
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // what JSON.parse gives is Json
  } catch {
    return undefined
  }
}

// Counted as people do: a pair of surrogates is one.
function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

function payText(meter: Meter, value: Json): string {
  const text = textOf(meter, value)
  if (text.length > longestText * 10) throw meter.tooLong()
  meter.pay(1 + (text.length >> 6))
  return text
}

function payKeys(meter: Meter, value: object): string[] {
  const keys = Object.keys(value)
  meter.pay(keys.length)
  return keys
}

function textOf(meter: Meter, value: Json): string {
  if (typeof value !== 'string') throw meter.wrong('this must be a text')
  return value
}

function numberOf(meter: Meter, value: Json): number {
  if (typeof value !== 'number') throw meter.wrong('this must be a number')
  return value
}

function listOf(meter: Meter, value: Json): Json[] {
  if (!Array.isArray(value)) throw meter.wrong('this must be a list')
  meter.pay(1 + (value.length >> 6))
  return value
}

function objectOf(meter: Meter, value: Json): Record<string, Json> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw meter.wrong('this must be an object')
  return value
}

// One list or several numbers. Spread into a call, so bounded.
function numbersOf(meter: Meter, args: readonly Json[]): number[] {
  const list = args.length === 1 && Array.isArray(args[0]) ? args[0] : args
  meter.pay(list.length)
  if (list.length === 0 || list.length > 10_000) throw meter.wrong('min() and max() take 1 to 10000 numbers')
  return list.map((item) => numberOf(meter, item))
}

function one(run: (meter: Meter, value: Json) => Json): PureFunction {
  return { least: 1, most: 1, run: (meter, [value = null]) => run(meter, value) }
}

function two(run: (meter: Meter, left: Json, right: Json) => Json): PureFunction {
  return { least: 2, most: 2, run: (meter, [left = null, right = null]) => run(meter, left, right) }
}

function many(run: (meter: Meter, args: readonly Json[]) => Json): PureFunction {
  return { least: 1, most: 100, run }
}

export type { Meter }
export { longestText, functionNames, callFunction, equal, asText, sizeOf }
