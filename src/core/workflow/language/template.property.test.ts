import { describe, expect, test } from 'vitest'
import { pick, randomFrom, upTo } from '../../flow/random.suite.ts'
import { LanguageError } from './scope.ts'
import { spoiled } from './spoiled.suite.ts'
import { parseTemplate } from './template-parser.ts'
import { fillTemplates, renderTemplate } from './template.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Random } from '../../flow/random.suite.ts'
import type { Scope } from './scope.ts'

const values: JsonObject = {
  one: { n: 5, s: 'text', none: null, empty: '', no: false, yes: true, zero: 0, html: '<b>"&"', tag: '{{one.n}}', n2: 1.5 },
  'two words': { list: ['a', 'b', { n: 7 }], nothing: [], bare: {}, o: { k: 'v', n: 8, 'x y': [1] } },
  rows: [
    { n: 1, name: 'ann', tags: ['x', 'y'] },
    { n: 2, name: 'bob', tags: [] },
    { tags: [[1, 2], 'z'], own: { n: 9 } },
  ],
  keyed: { first: { n: 'f' }, 'last one': 'l' },
}
const scope: Scope = { root: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) }

/** A reference by how far out it begins, and its names; `this` when it begins at an element. */
type Ref = { up: number; this: boolean; names: readonly string[] } | { at: string } | { lookup: [Ref, Ref] } | { constant: Json }
type Piece = { text: string } | { ref: Ref; trim: readonly [boolean, boolean] } | Block
type Branch = { name: string; operands: Ref[]; inside: Piece[]; trim: readonly [boolean, boolean] }
type Block = { branches: Branch[]; otherwise: Piece[] | null; trims: readonly (readonly [boolean, boolean])[] }

const paths: readonly (readonly string[])[] = [
  ...['n', 's', 'none', 'empty', 'no', 'yes', 'zero', 'html', 'tag', 'n2', 'gone', 'constructor'].map((name) => ['one', name]),
  ...['list', 'nothing', 'bare', 'o'].map((name) => ['two words', name]),
  ['two words', 'list', '2', 'n'],
  ['two words', 'list', 'length'],
  ['two words', 'o', 'x y', '0'],
  ['rows'],
  ['rows', '0', 'tags'],
  ['keyed'],
  ['gone'],
]
const plain = ['n', 'name', 'tags', 'own', 'k', 's', 'gone', 'one']

function refOf(random: Random, depth: number): Ref {
  const kind = random()
  if (depth > 0 && kind < 0.45) {
    if (kind < 0.1) return { at: pick(random, ['index', 'key', 'first', 'last', 'date']) }
    const names = random() < 0.7 ? [pick(random, plain), ...(random() < 0.2 ? ['n'] : [])] : []
    return { up: upTo(random, 3), this: names.length === 0 || random() < 0.3, names }
  }
  if (kind < 0.55)
    return { lookup: [{ up: 0, this: false, names: pick(random, paths) }, pick<Ref>(random, [{ constant: 1 }, { constant: 'n' }, { at: 'index' }])] }
  return { up: 0, this: false, names: pick(random, paths) }
}

const trimOf = (random: Random) => [random() < 0.2, random() < 0.2] as const

function piecesOf(random: Random, depth: number, inside: number): Piece[] {
  const pieces: Piece[] = []
  for (let count = upTo(random, 4); count >= 0; count--) {
    const kind = random()
    const before = pieces.at(-1)
    if (kind < 0.35 && !(before && 'text' in before)) pieces.push({ text: pick(random, ['a', ' b ', '\n', ' } ', ' ', 'é~😀', '"', '[x] ']) })
    else if (kind < 0.7 || depth === 0) pieces.push({ ref: refOf(random, inside), trim: trimOf(random) })
    else pieces.push(blockOf(random, depth, inside))
  }
  return pieces
}

function blockOf(random: Random, depth: number, inside: number): Block {
  const name = pick(random, ['each', 'each', 'if', 'unless', 'equal', 'with'])
  // Lists inside of lists are what names are looked up outwards from.
  const list: Ref = { up: 0, this: false, names: inside === 0 ? pick(random, [['rows'], ['keyed'], ['two words', 'list']]) : ['tags'] }
  const branch = (of: string): Branch => ({
    name: of,
    operands:
      of === 'equal'
        ? [refOf(random, inside), pick<Ref>(random, [{ constant: 5 }, { constant: 'text' }, { constant: true }, refOf(random, inside)])]
        : [of === 'each' && random() < 0.7 ? list : refOf(random, inside)],
    inside: piecesOf(random, depth - 1, of === 'each' || of === 'with' ? inside + 1 : inside),
    trim: trimOf(random),
  })
  const more = upTo(random, 3)
  return {
    branches: [branch(name), ...Array.from({ length: more }, () => branch('if'))],
    otherwise: random() < 0.5 ? piecesOf(random, depth - 1, inside) : null,
    trims: [trimOf(random), trimOf(random)],
  }
}

const segment = (name: string, random: Random) =>
  /^[a-z]\w*$/i.test(name) && !['this', 'true', 'false', 'lookup', 'else'].includes(name) && random() < 0.6
    ? name
    : random() < 0.7
      ? `[${name}]`
      : `["${name}"]`

function refText(ref: Ref, random: Random, inner = false): string {
  if ('at' in ref) return `@${ref.at}`
  if ('constant' in ref) return JSON.stringify(ref.constant)
  if ('lookup' in ref) {
    const text = `lookup ${refText(ref.lookup[0], random, true)} ${refText(ref.lookup[1], random, true)}`
    return inner || random() < 0.5 ? `(${text})` : text
  }
  const names = ref.names.map((name) => segment(name, random)).join('.')
  const out = '../'.repeat(ref.up)
  if (!ref.this) return out + names
  if (names === '') return ref.up === 0 ? pick(random, ['this', '.']) : pick(random, [`${out}this`, out.slice(0, -1), `${out}.`])
  return pick(random, [`${out}this.${names}`, `${out}./${names}`])
}

type Token = { text: string } | { tag: string; trim: readonly [boolean, boolean] }

/** The tokens of a template in a row. Texts are those of the pieces, so that what trims them changes what is meant, too. */
function tokens(pieces: readonly Piece[], random: Random, row: Token[] = []): Token[] {
  for (const piece of pieces) {
    if ('text' in piece) row.push(piece)
    else if ('ref' in piece) row.push({ tag: refText(piece.ref, random), trim: piece.trim })
    else {
      for (const [at, { name, operands, inside, trim }] of piece.branches.entries()) {
        const way = `${name} ${operands.map((operand) => refText(operand, random, name === 'equal')).join(' ')}`
        row.push({ tag: at === 0 ? `#${pick(random, ['', ' '])}${way}` : `else ${way}`, trim })
        tokens(inside, random, row)
      }
      if (piece.otherwise) {
        row.push({ tag: 'else', trim: piece.trims[0] ?? [false, false] })
        tokens(piece.otherwise, random, row)
      }
      row.push({ tag: `/${piece.branches[0]?.name}`, trim: piece.trims[1] ?? [false, false] })
    }
  }
  return row
}

function written(pieces: readonly Piece[], random: Random): string {
  const row = tokens(pieces, random)
  const blank = () => pick(random, ['', ' ', '\n'])
  const parts = row.map((token) =>
    'tag' in token ? `{{${token.trim[0] ? '~' : ''}${blank()}${token.tag}${blank()}${token.trim[1] ? '~' : ''}}}` : token.text,
  )
  for (const [at, token] of row.entries()) {
    if (!('tag' in token)) continue
    const [before, after] = [row[at - 1], row[at + 1]]
    if (token.trim[0] && before && 'text' in before) before.text = before.text.replace(/\s+$/, '')
    if (token.trim[1] && after && 'text' in after) after.text = after.text.replace(/^\s+/, '')
  }
  return parts.join('')
}

type Place = { value: Json | undefined; round: { index: number; key: string | null; last: boolean } | null; out: Place | null }

const step = (value: Json | undefined, name: string): Json | undefined =>
  Array.isArray(value)
    ? /^\d+$/.test(name)
      ? value[Number(name)]
      : undefined
    : value !== null && typeof value === 'object' && Object.hasOwn(value, name)
      ? value[name]
      : undefined

/** What a reference means, from §11.1 and §11.2. */
function meant(ref: Ref, place: Place | null): Json | undefined {
  if ('constant' in ref) return ref.constant
  if ('lookup' in ref) {
    const key = meant(ref.lookup[1], place)
    return typeof key === 'string' || typeof key === 'number' ? step(meant(ref.lookup[0], place), String(key)) : undefined
  }
  if ('at' in ref) {
    let at = place
    while (at && !at.round) at = at.out
    const { index, key, last } = at?.round ?? { index: undefined, key: null, last: undefined }
    if (index === undefined) return undefined
    return ref.at === 'index' ? index : ref.at === 'key' ? (key ?? index) : ref.at === 'first' ? index === 0 : ref.at === 'last' ? last : undefined
  }
  let at = place
  for (let up = ref.up; up > 0 && at; up--) at = at.out
  const [first = '', ...rest] = ref.names
  if (ref.this) return ref.names.reduce<Json | undefined>(step, at?.value)
  for (; at; at = at.out) {
    const member = step(at.value, first)
    if (member !== undefined) return rest.reduce<Json | undefined>(step, member)
  }
  return ref.names.reduce<Json | undefined>(step, values)
}

const textOf = (value: Json | undefined) => (value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value))
const isFalse = (value: Json | undefined) => [undefined, null, false, 0, ''].includes(value as never) || JSON.stringify(value) === '[]'

function rendered(pieces: readonly Piece[], place: Place | null): string {
  return pieces.map((piece) => ('text' in piece ? piece.text : 'ref' in piece ? textOf(meant(piece.ref, place)) : blockText(piece, place))).join('')
}

function blockText({ branches, otherwise }: Block, place: Place | null): string {
  for (const { name, operands, inside } of branches) {
    const [one, other] = operands.map((operand) => meant(operand, place))
    if (name === 'each') {
      const rounds: (readonly [string | null, Json])[] = Array.isArray(one)
        ? one.map((value) => [null, value] as const)
        : one !== null && typeof one === 'object'
          ? Object.entries(one)
          : []
      const texts = rounds.map(([key, value], index) =>
        rendered(inside, { value, round: { index, key, last: index === rounds.length - 1 }, out: place }),
      )
      if (rounds.length > 0) return texts.join('')
    } else if (name === 'equal' ? textOf(one) === textOf(other) : name === 'unless' ? isFalse(one) : !isFalse(one))
      return rendered(inside, name === 'with' ? { value: one, round: null, out: place } : place)
  }
  return otherwise ? rendered(otherwise, place) : ''
}

describe('templates made by chance', () => {
  const templates = Array.from({ length: 4_000 }, (_, seed) => {
    const random = randomFrom(seed + 1)
    const pieces = piecesOf(random, 1 + (seed % 4), 0)
    const text = written(pieces, random)
    return { pieces, text }
  })

  test('become the text that the contract says', () => {
    let long = 0
    for (const { pieces, text } of templates) {
      const want = rendered(pieces, null)
      expect(renderTemplate(text, scope), text).toBe(want)
      if (want.length > 20) long++
    }
    // Chance that makes nothing tests nothing.
    expect(long).toBeGreaterThan(500)
  })

  test('are the value itself where they are one reference and nothing else', () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const random = randomFrom(seed)
      const ref = refOf(random, 0)
      const text = `{{${refText(ref, random)}}}`
      expect(fillTemplates({ whole: text, list: [text], text: `${text} ` }, scope), text).toStrictEqual({
        ...(meant(ref, null) === undefined ? {} : { whole: meant(ref, null) }),
        list: [meant(ref, null) ?? null],
        text: `${textOf(meant(ref, null))} `,
      })
    }
  })

  test('and spoiled afterwards are rendered, or say where they do not parse', () => {
    for (const [seed, { text }] of templates.entries()) {
      const bad = spoiled(text, randomFrom(seed))
      try {
        parseTemplate(bad)
      } catch (error) {
        expect(error, bad).toBeInstanceOf(LanguageError)
        const { position } = error as LanguageError
        expect(position !== null && position >= 0 && position <= bad.length, bad).toBe(true)
        continue
      }
      expect(typeof renderTemplate(bad, scope), bad).toBe('string')
    }
  })
})
