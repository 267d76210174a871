import { textFinder } from '../../../kernel/find-text.ts'
import { flagMember, objectMember, textMember } from '../../document/members.ts'
import { follow, textOf } from '../../language/path.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { listInput, numberInput, readPath } from '../input.ts'
import { TextBuilder, boundedList, listLimit } from '../size.ts'
import { stringSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** Work on text. Characters are code points: no answer cuts one in two. */
const stringPlugin = builtinPlugin('string', stringSpec, {
  split: pure((input) => {
    const items = split(textMember(input, 'text'), textMember(input, 'separator'), numberInput(input, 'limit'))
    return { items, count: items.length }
  }),
  join: pure((input) => {
    const text = new TextBuilder()
    const separator = textMember(input, 'separator')
    for (const [index, item] of listInput(input, 'items').entries()) text.add(index === 0 ? '' : separator).add(textOf(item))
    return { text: text.toString() }
  }),
  replace: pure(replace),
  upper: pure((input) => ({ text: textMember(input, 'text').toUpperCase() })),
  lower: pure((input) => ({ text: textMember(input, 'text').toLowerCase() })),
  trim: pure((input) => ({ text: trimmed(textMember(input, 'text'), textMember(input, 'characters'), textMember(input, 'side')) })),
  substring: pure((input) => ({ text: substring(textMember(input, 'text'), numberInput(input, 'start'), numberInput(input, 'length')) })),
  length: pure((input) => {
    const text = textMember(input, 'text')
    const lines = text === '' ? 0 : (text.match(/\r\n|\r|\n/g)?.length ?? 0) + (/[\r\n]$/.test(text) ? 0 : 1)
    return { characters: characters(text), bytes: Buffer.byteLength(text), lines }
  }),
  format: pure((input) => ({ text: formatted(textMember(input, 'format'), objectMember(input, 'values')) })),
  encode_url: pure((input) => ({ text: encodeURIComponent(textMember(input, 'text').toWellFormed()) })),
  decode_url: pure((input) => ({ text: decoded(textMember(input, 'text'), flagMember(input, 'plus')) })),
  escape_html: pure((input) => ({ text: textMember(input, 'text').replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`) })),
})

function decoded(text: string, plus: boolean): string {
  try {
    return decodeURIComponent(plus ? text.replaceAll('+', ' ') : text)
  } catch {
    throw new ActionFailed('The text has a "%" that is not followed by the bytes of a character')
  }
}

function split(text: string, separator: string, limit: number): string[] {
  const most = limit > 0 ? limit : listLimit + 1
  if (separator === '') return boundedList(limit > 0 ? splitCharacters(text, limit) : splitCharacters(text, most))
  const parts: string[] = []
  const find = textFinder(separator)
  let from = 0
  while (parts.length < most - 1) {
    const at = find(text, from)
    if (at < 0) break
    parts.push(text.slice(from, at))
    from = at + separator.length
  }
  parts.push(text.slice(from))
  return boundedList(parts)
}

function splitCharacters(text: string, most: number): string[] {
  const parts: string[] = []
  let from = 0
  for (const character of text) {
    if (parts.length === most - 1) break
    parts.push(character)
    from += character.length
  }
  return from < text.length ? [...parts, text.slice(from)] : parts
}

function replace(input: JsonObject): JsonObject {
  const [text, find, by] = [textMember(input, 'text'), textMember(input, 'find'), textMember(input, 'replace_with')]
  if (find === '') throw new ActionFailed('There is nothing to find: "find" is empty')
  const most = numberInput(input, 'count') > 0 ? numberInput(input, 'count') : Number.POSITIVE_INFINITY
  const made = new TextBuilder()
  const search = textFinder(find)
  let [from, count] = [0, 0]
  for (let at = search(text); at >= 0 && count < most; at = search(text, from)) {
    made.add(text.slice(from, at)).add(by)
    from = at + find.length
    count++
  }
  return { text: made.add(text.slice(from)).toString(), count }
}

function trimmed(text: string, characters: string, side: string): string {
  const removed = characters === '' ? null : new Set(characters)
  const goes = (character: string) => (removed ? removed.has(character) : character.trim() === '')
  let [start, end] = [0, text.length]
  if (side !== 'end') {
    for (const character of text) {
      if (!goes(character)) break
      start += character.length
    }
  }
  while (side !== 'start' && end > start) {
    const low = text.charCodeAt(end - 1)
    const width = low >= 0xdc00 && low <= 0xdfff && end - 2 >= start ? 2 : 1
    if (!goes(text.slice(end - width, end))) break
    end -= width
  }
  return text.slice(start, end)
}

function substring(text: string, start: number, length: number): string {
  if (length < 0) throw new ActionFailed('The length is 0 or more')
  const from = offsetOf(text, 0, start < 0 ? Math.max(characters(text) + start, 0) : start)
  return length === 0 ? text.slice(from) : text.slice(from, offsetOf(text, from, length))
}

/** Where in a text the character stands that comes so many characters after a place. */
function offsetOf(text: string, from: number, count: number): number {
  let at = from
  for (let left = count; left > 0 && at < text.length; left--) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return at
}

function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

function formatted(format: string, values: Json): string {
  const made = new TextBuilder()
  let from = 0
  // A brace that holds no path (code, JSON) is text like any other.
  for (const match of format.matchAll(/\{([\p{L}\p{Nd}_$][\p{L}\p{Nd}_$.-]*)\}/gu)) {
    const path = match[1] ?? ''
    const value = follow(values, readPath(path))
    if (value === undefined) throw new ActionFailed(`There is no value for "{${path}}"`)
    made.add(format.slice(from, match.index)).add(textOf(value))
    from = match.index + match[0].length
  }
  return made.add(format.slice(from)).toString()
}

export { stringPlugin }
