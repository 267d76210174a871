import { ActionFailed } from './builtin.ts'
import type { Json } from '../../kernel/json.ts'

const textLimit = 10 * 1024 * 1024
const listLimit = 100_000
/** More than an input: an answer from the web comes as text and as what it holds. */
const outputLimit = 32 * 1024 * 1024

/** About how many characters a value has as JSON, without writing it; it stops counting beyond `limit`. One text may stand in a value a million times. */
function jsonSize(value: Json | undefined, limit: number): number {
  const open: (Json | undefined)[] = [value]
  let size = 0
  while (open.length > 0 && size <= limit) {
    const next = open.pop()
    if (typeof next === 'string') size += next.length + 3
    else if (next === null || typeof next !== 'object') size += 6
    else if (Array.isArray(next)) {
      size += 2
      for (const item of next) open.push(item)
    } else {
      size += 2
      for (const [name, item] of Object.entries(next)) {
        size += name.length + 4
        open.push(item)
      }
    }
  }
  return size
}

/** About how many characters a value has as JSON with so many blanks per level; it stops counting beyond `limit`. Deep values are mostly blanks. */
function indentedSize(value: Json, indent: number, limit: number): number {
  const open: { readonly value: Json; readonly level: number }[] = [{ value, level: 0 }]
  let size = 0
  for (let next = open.pop(); next && size <= limit; next = open.pop()) {
    const { value, level } = next
    size += 2 + level * indent
    if (typeof value === 'string') size += value.length
    if (typeof value !== 'object' || value === null) continue
    for (const [name, member] of Object.entries(value)) {
      if (!Array.isArray(value)) size += name.length
      open.push({ value: member, level: level + 1 })
    }
  }
  return size
}

/** A text that is put together from parts and must not become larger than an output may be. */
class TextBuilder {
  readonly #parts: string[] = []
  #length = 0

  add(part: string): this {
    this.#length += part.length
    if (this.#length > textLimit) throw new ActionFailed('The text would become larger than 10 MiB')
    this.#parts.push(part)
    return this
  }

  toString(): string {
    return this.#parts.join('')
  }
}

/** The list, unless it has more elements than lists here may have. */
function boundedList<T>(list: T[]): T[] {
  if (list.length > listLimit) throw new ActionFailed(`A list has at most ${listLimit} elements; this one would have ${list.length}`)
  return list
}

export { jsonSize, indentedSize, TextBuilder, boundedList, listLimit, textLimit, outputLimit }
