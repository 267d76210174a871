import { afterAll, describe, expect, test } from 'vitest'
import { WorkerPatterns } from '../../../adapters/patterns/patterns.ts'
import { pick, randomFrom, upTo } from '../../flow/random.suite.ts'
import { matchPattern, parsePatternMatch, patternOf } from './pattern-match.ts'
import { LanguageError } from './scope.ts'

const patterns = new WorkerPatterns()
afterAll(() => patterns.close())
const match = (pattern: string, text: string, options = { captureAll: false, ignoreCase: false }) =>
  matchPattern(parsePatternMatch(pattern), text, options, patterns)

describe('a pattern with captures', () => {
  test('is split into text and captures as files keep it', () => {
    expect(parsePatternMatch('find\\s+{{what:/.*/}} in {{path:/\\/[a-z]{2}/}}!')).toEqual([
      { type: 'text', value: 'find\\s+' },
      { type: 'variable', value: { ident: 'what', regex: '.*' } },
      { type: 'text', value: ' in ' },
      { type: 'variable', value: { ident: 'path', regex: '\\/[a-z]{2}' } },
      { type: 'text', value: '!' },
    ])
    expect(parsePatternMatch('')).toEqual([])
    expect(parsePatternMatch('\\{{{a:/x/}}')).toEqual([
      { type: 'text', value: '\\{' },
      { type: 'variable', value: { ident: 'a', regex: 'x' } },
    ])
  })

  test('captures greedily, anywhere in the text', async () => {
    expect(await match('{{timestamp:/.*/}}T', '2017-11-24T08:18:09.000Z')).toEqual({ $matched: true, timestamp: '2017-11-24' })
    expect(await match('{{timestamp:/.*/}}T', 'foobar 2017-11-24T08:18:09.000Z')).toEqual({ $matched: true, timestamp: 'foobar 2017-11-24' })
    expect(await match('find\\s+{{what:/.*/}}', 'nothing here')).toEqual({ $matched: false })
  })

  test('captures all as lists, ignores case where asked, and keeps names that are no names of groups', async () => {
    expect(await match('{{my-key:/[a-z]+/}}={{value:/\\d*/}}', 'a=1 B=2 c=', { captureAll: true, ignoreCase: true })).toEqual({
      $matched: true,
      'my-key': ['a', 'B', 'c'],
      value: ['1', '2', ''],
    })
    expect(await match('{{a:/x(y)?/}}', 'xy x', { captureAll: true, ignoreCase: false })).toEqual({ $matched: true, a: ['xy', 'x'] })
  })

  test.each(['{{name}}', '{{name:/x/', '{{1:/x/}}', 'a {{'])('%s does not parse', (text) => {
    expect(() => parsePatternMatch(text)).toThrow(LanguageError)
  })

  test('that is no regular expression is refused when it is matched', async () => {
    await expect(match('({{a:/x/}}', 'x')).rejects.toThrow(LanguageError)
  })

  test('of random tokens never does anything else than match or say why it cannot', async () => {
    const tokens = ['{{', '}}', 'a', ':', '/', '{{a:/', '/}}', '.*', '\\', '(', ')', '[', '+', 'x']
    for (let seed = 1; seed <= 1_000; seed++) {
      const random = randomFrom(seed)
      const text = Array.from({ length: 1 + upTo(random, 12) }, () => pick(random, tokens)).join('')
      try {
        const parts = parsePatternMatch(text)
        expect(patternOf(parts).length).toBeGreaterThanOrEqual(0)
        expect(await matchPattern(parts, 'axxa/:', { captureAll: true, ignoreCase: false }, patterns)).toHaveProperty('$matched')
      } catch (error) {
        expect(error, text).toBeInstanceOf(LanguageError)
      }
    }
  })
})
