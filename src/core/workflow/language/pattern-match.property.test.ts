import { afterAll, describe, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../adapters/patterns/patterns.ts'
import { pick, randomFrom, upTo } from '../../flow/random.suite.ts'
import { matchPattern, parsePatternMatch } from './pattern-match.ts'
import { LanguageError } from './scope.ts'
import { spoiled } from './spoiled.suite.ts'
import type { Json } from '../../kernel/json.ts'
import type { Random } from '../../flow/random.suite.ts'
import type { PatternPart } from './pattern-match.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())

const atoms = ['a', 'b', '1', 'A', ' ', '.', '[ab]', '[^a]', '\\d', '\\s', '(?:a|b1)', 'a\\/b', '\\/}}', '-', 'é', '\\.', '{', '}']

function regexOf(random: Random): string {
  return Array.from(
    { length: 1 + upTo(random, 3) },
    () => pick(random, atoms).replace(/^[{}]$/, '\\$&') + pick(random, ['', '', '', '*', '+', '?']),
  ).join('')
}

const idents = ['a', 'b', 'my-key', '$c', 'é', 'constructor']

function partsOf(random: Random): PatternPart[] {
  const parts: PatternPart[] = []
  for (let count = 1 + upTo(random, 4); count > 0; count--) {
    if (random() < 0.5 || parts.at(-1)?.type === 'text')
      parts.push({ type: 'variable', value: { ident: pick(random, idents), regex: regexOf(random) } })
    else parts.push({ type: 'text', value: regexOf(random) })
  }
  return parts
}

const written = (parts: readonly PatternPart[], random: Random) =>
  parts
    .map((part) =>
      part.type === 'text' ? part.value : `{{${pick(random, ['', ' '])}${part.value.ident}${pick(random, ['', ' '])}:/${part.value.regex}/}}`,
    )
    .join('')

/** What the contract (§13) says, by the expressions of the platform: those of chance mean the same to both. */
function meant(parts: readonly PatternPart[], text: string, { captureAll, ignoreCase }: { captureAll: boolean; ignoreCase: boolean }): Json {
  const source = parts.map((part, at) => (part.type === 'text' ? part.value : `(?<g${at}>${part.value.regex})`)).join('')
  const found = [...text.matchAll(new RegExp(source, ignoreCase ? 'gi' : 'g'))]
  const [first] = found
  if (!first) return { $matched: false }
  const captured = new Map<string, Json>()
  for (const [at, part] of parts.entries()) {
    if (part.type === 'text') continue
    const all = found.map(({ groups }) => groups?.[`g${at}`] ?? '')
    const before = captured.get(part.value.ident)
    if (captureAll) captured.set(part.value.ident, [...((before as string[] | undefined) ?? []), ...all])
    else if (before === undefined) captured.set(part.value.ident, all[0] ?? '')
  }
  return { $matched: true, ...Object.fromEntries(captured) }
}

describe('patterns made by chance', () => {
  const made = Array.from({ length: 2_000 }, (_, seed) => {
    const random = randomFrom(seed + 1)
    const parts = partsOf(random)
    const text = Array.from({ length: upTo(random, 20) }, () =>
      pick(random, ['a', 'b', '1', 'A', ' ', '-', '.', 'a/b', 'é', '{', '}', '/}}', 'b1']),
    ).join('')
    return { parts, pattern: written(parts, random), text, options: { captureAll: random() < 0.5, ignoreCase: random() < 0.3 } }
  })

  test('are split as they were put together', () => {
    for (const { parts, pattern } of made) expect(parsePatternMatch(pattern), pattern).toEqual(parts)
  })

  test('find what the contract says', async () => {
    let matched = 0
    for (const { parts, pattern, text, options } of made) {
      const want = meant(parts, text, options)
      expect(await matchPattern(parsePatternMatch(pattern), text, options, patterns), `${pattern} in "${text}" ${JSON.stringify(options)}`).toEqual(
        want,
      )
      if ((want as { $matched: boolean }).$matched) matched++
    }
    // Chance that finds nothing tests nothing.
    expect(matched).toBeGreaterThan(300)
    expect(made.length - matched).toBeGreaterThan(300)
  })

  test('and spoiled afterwards match, or say why they cannot', async () => {
    for (const [seed, { pattern, text, options }] of made.entries()) {
      const bad = spoiled(pattern, randomFrom(seed))
      try {
        expect(await matchPattern(parsePatternMatch(bad), text, options, patterns), bad).toHaveProperty('$matched')
      } catch (error) {
        expect(error, bad).toBeInstanceOf(LanguageError)
      }
    }
  })
})
