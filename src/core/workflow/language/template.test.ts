import { describe, expect, test } from 'vitest'
import { randomFrom, pick, upTo } from '../../flow/random.suite.ts'
import { LanguageError, standardBudget } from './scope.ts'
import { checkTemplates, fillTemplates, renderTemplate, templateRoots } from './template.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Scope } from './scope.ts'

const values: JsonObject = {
  'Get users': {
    users: [
      { name: 'ann', tags: ['x', 'y'] },
      { name: 'bob', tags: [] },
    ],
    count: 2,
    ok: true,
    none: null,
    empty: '',
  },
  $job: { $id: 'j-1', URL: 'http://here/jobs/j-1' },
  $workflow: { Name: 'night' },
  POST: { body: [{ id: 7 }, { id: 8 }] },
  html: '<b>&</b>',
}
const scope: Scope = { root: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) }
const render = (text: string) => renderTemplate(text, scope)
const fill = (value: Json) => fillTemplates(value, scope)

describe('a template', () => {
  test.each([
    ['no tag at all', 'no tag at all'],
    ['{{html}} stays', '<b>&</b> stays'],
    ['{{[Get users].[count]}}/{{["Get users"].count}}', '2/2'],
    ['{{[Get users].[ok]}} {{[Get users].[none]}}.', 'true .'],
    ['{{[Get users].users}}', '[{"name":"ann","tags":["x","y"]},{"name":"bob","tags":[]}]'],
    ['{{[POST].[body].[1].[id]}}', '8'],
    ['{{$job.[$id]}} {{[$job].[URL]}} {{$workflow.[Name]}}', 'j-1 http://here/jobs/j-1 night'],
    ['{{nothing.at.all}}|{{@date}}', '|'],
    ['{{#each [Get users].users}}{{name}}={{@index}}{{#unless @last}},{{/unless}}{{/each}}', 'ann=0,bob=1'],
    ['{{#each [Get users].users}}{{#each tags}}{{.}}{{../name}}{{this}} {{else}}-{{/each}}{{/each}}', 'xannx yanny -'],
    ['{{#each $workflow}}{{@key}}:{{this}}{{@first}}{{/each}}', 'Name:nighttrue'],
    ['{{#each [Get users].none}}x{{else}}none{{/each}}', 'none'],
    ['{{#each [Get users].users}}{{[POST].[body].[0].[id]}}{{/each}}', '77'],
    ['{{#if [Get users].empty}}a{{else if [Get users].ok}}b{{else}}c{{/if}}', 'b'],
    ['{{#if unknown}}a{{else}}c{{/if}}{{#unless unknown}}d{{/unless}}', 'cd'],
    ['{{#equal [Get users].count "2"}}two{{else}}other{{/equal}}{{#equal [Get users].ok true}}!{{/equal}}', 'two!'],
    ['{{#with [Get users]}}{{count}}{{this.ok}}{{/with}}', '2true'],
    ['{{lookup [POST].[body] 1}}', '{"id":8}'],
    ['{{#with (lookup [POST].[body] 0)}}{{id}}{{/with}}', '7'],
    ['a {{~ [Get users].count ~}} b', 'a2b'],
    ['{{#if html ~}}  x  {{~/if}}', 'x'],
  ])('%s → %s', (text, expected) => {
    expect(render(text)).toBe(expected)
  })

  test('that is one reference keeps the type of its value; where there is none the member is left out', () => {
    const input = {
      count: '{{[Get users].[count]}}',
      text: ' {{[Get users].[count]}}',
      list: ['{{[Get users].[ok]}}', '{{unknown}}'],
      gone: '{{unknown}}',
      empty: '{{unknown}} ',
      deep: { users: '{{[Get users].users}}' },
      '{{name}}': 1,
    }
    expect(fill(input)).toEqual({
      count: 2,
      text: ' 2',
      list: [true, null],
      empty: ' ',
      deep: {
        users: [
          { name: 'ann', tags: ['x', 'y'] },
          { name: 'bob', tags: [] },
        ],
      },
      '{{name}}': 1,
    })
  })

  test('names in the rounds of a loop what ran in that round, and nothing of another one', () => {
    const rounds: JsonObject = { $outputs: [{ step: { v: 1 } }, { other: 2 }, { step: { v: 3 }, inner: { $outputs: [{ deep: 4 }, {}] } }] }
    const of: JsonObject = { loop: rounds, step: { v: 'latest' }, deep: 'latest', far: 'far', L: { $outputs: [{}] } }
    const inside = (loop: string) => (loop === 'loop' ? new Set(['step', 'other', 'inner']) : loop === 'inner' ? new Set(['deep']) : null)
    const within: Scope = { root: (name) => of[name], inside }
    expect(renderTemplate('{{#each [loop].[$outputs]}}{{step.v}}{{#if other}}o{{/if}}{{far}};{{/each}}{{step.v}}', within)).toBe(
      '1far;ofar;3far;latest',
    )
    expect(renderTemplate('{{#each [loop].[$outputs]}}{{#each inner.[$outputs]}}{{deep}}{{step.v}},{{/each}}{{/each}}', within)).toBe('43,3,')
    expect(renderTemplate('{{#each [loop].[$outputs]}}{{#each this.inner.[$outputs]}}{{deep}},{{/each}}{{/each}}', within)).toBe('4,,')
    expect(renderTemplate('{{#each L.[$outputs]}}{{step.v}}{{/each}}', within)).toBe('latest')
  })

  test('is not rendered again', () => {
    const inner: Scope = { root: () => '{{$job.[$id]}}' }
    expect(fillTemplates('{{a}}', inner)).toBe('{{$job.[$id]}}')
    expect(renderTemplate('{{a}}!', inner)).toBe('{{$job.[$id]}}!')
  })

  test.each([
    'constructor',
    '__proto__',
    'toString',
    'POST.length',
    'POST.body.length',
    'html.length',
    'POST.constructor.prototype',
    'POST.[body].[__proto__]',
  ])('reaches own data only: %s is not there', (path) => {
    const strict: Scope = { root: (name) => (Object.hasOwn(values, name) ? values[name] : undefined) }
    expect(renderTemplate(`[{{${path}}}]`, strict)).toBe('[]')
  })

  test('keeps members with names of prototypes as plain data', () => {
    const data = JSON.parse('{"__proto__":{"polluted":"own"},"constructor":"c"}') as Json
    const own: Scope = { root: () => data }
    expect(renderTemplate('{{x.__proto__.polluted}} {{x.constructor}}', own)).toBe('own c')
    const filled = fillTemplates(JSON.parse('{"__proto__":{"a":"{{x.constructor}}"}}') as Json, own)
    expect(JSON.stringify(filled)).toBe('{"__proto__":{"a":"c"}}')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test.each([
    ['{{', 'is expected here', 2],
    ['{{a', 'not closed by', 3],
    ['{{#each a}}x', 'never closed', 0],
    ['{{/each}}', 'nothing is open', 0],
    ['{{#if a}}{{/each}}', '"{{/if}}" is expected', 9],
    ['{{#loop a}}{{/loop}}', 'no block "loop"', 0],
    ['{{else}}', 'outside of a block', 0],
    ['{{#if a}}{{else}}{{else}}{{/if}}', 'outside of a block', 17],
    ['{{[a}}', 'is not closed', 2],
    ['{{a.}}', 'missing after', 4],
    ['{{a b}}', 'not closed by', 4],
    ['{{{a}}}', 'is expected here', 2],
    ['{{process.exit()}}', 'not closed by', 14],
  ])('%s does not parse, and says where', (text, message, position) => {
    let caught: unknown
    try {
      render(text)
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(LanguageError)
    expect((caught as LanguageError).message).toContain(message)
    expect((caught as LanguageError).position).toBe(position)
  })

  test('says in which inputs it does not parse, all at once', () => {
    expect(checkTemplates({ a: ['ok', '{{#if}}'], b: { c: '{{x' }, d: '{{x}}' })).toEqual([
      { input: 'a.1', message: expect.stringContaining('(character') },
      { input: 'b.c', message: expect.stringContaining('(character 4)') },
    ])
  })

  test('tells which roots it reads', () => {
    expect(templateRoots({ a: '{{[One].x}} {{#if two}}{{lookup three four}}{{/if}}', b: '{{#each five}}{{six}}{{/each}}{{@index}}' })).toEqual(
      new Set(['One', 'two', 'three', 'four', 'five', 'six']),
    )
  })

  test('makes no more text than it may, whichever way it is asked to', () => {
    const large: Scope = { root: (name) => (name === 'list' ? Array.from({ length: 1000 }, () => 'x'.repeat(1000)) : 'y'.repeat(1_000_000)) }
    const small = { ...standardBudget, characters: 3_000_000 }
    expect(() => renderTemplate('{{#each list}}{{#each list}}{{.}}{{/each}}{{/each}}', large, small)).toThrow(/larger than/)
    expect(() => fillTemplates(['{{a}}', '{{a}}', '{{a}}', '{{a}}'], large, small)).toThrow(/larger than/)
    expect(() => renderTemplate('{{#each list}}{{#each list}}{{#each list}}{{/each}}{{/each}}{{/each}}', large)).toThrow(/more rounds/)
    expect(() => render('{{a}}'.repeat(100_001))).toThrow(/at most 100000 tags/)
    expect(() => fill(Array.from({ length: 101 }, () => '{{a}}'.repeat(1_000)))).toThrow(/at most 100000 tags/)
    expect(checkTemplates(Array.from({ length: 101 }, () => '{{a}}'.repeat(1_000)))).toMatchObject([{ input: '100' }])
    expect(() => render(`${'{{#if a}}'.repeat(33)}${'{{/if}}'.repeat(33)}`)).toThrow(/nested deeper/)
  })

  test('of random tokens either renders or says where it does not parse, and never takes long', () => {
    const tokens = [
      '{{',
      '}}',
      '#each ',
      '#if ',
      '/each',
      '/if',
      'else',
      '[',
      ']',
      '.',
      '..',
      '/',
      '~',
      '"',
      '@key',
      'this',
      'html',
      '(',
      ')',
      'lookup ',
      ' ',
      '0',
      'é',
      '\ud800',
    ]
    for (let seed = 1; seed <= 3_000; seed++) {
      const random = randomFrom(seed)
      const text = Array.from({ length: 1 + upTo(random, 30) }, () => pick(random, tokens)).join('')
      try {
        expect(typeof render(text)).toBe('string')
      } catch (error) {
        expect(error, text).toBeInstanceOf(LanguageError)
      }
    }
  })
})
