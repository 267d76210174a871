import { ActionFailed } from './builtin.ts'
import type { Json } from '../../kernel/json.ts'

const textLimit = 10 * 1024 * 1024
const listLimit = 100_000

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

export { jsonSize, TextBuilder, boundedList, listLimit }
