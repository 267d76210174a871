import { describe, expect, test } from 'vitest'
import { readWorkflow } from './document/file.ts'
import { declaredVariables } from './variables.ts'
import type { Json, JsonObject } from '../kernel/json.ts'

const step = { id: 's', name: 's', type: 'api_trigger', parameters: { trigger_config_id: 'T' } }
const declaring = (trigger: JsonObject) =>
  readWorkflow({ name: 'w', steps: [step], paths: [], triggers: [{ id: 'T', type: 'api_trigger', ...trigger }] })
const listed = (type: string, format = '') => declaring({ api_variables: [{ error: '', format, name: 'v', title: 'V', type }] })
const described = (property: JsonObject, more: JsonObject = {}) => declaring({ api_schema: { type: 'object', properties: { v: property }, ...more } })

const samples: Readonly<Record<string, Json>> = { text: 'x', whole: 3, number: 1.5, flag: false, list: [1], object: { a: 1 } }

describe('a declared variable', () => {
  test.each([
    ['string', ['text']],
    ['python', ['text']],
    ['integer', ['whole']],
    ['number', ['whole', 'number']],
    ['float', ['whole', 'number']],
    ['boolean', ['flag']],
    ['array', ['list']],
    ['collection', ['list']],
    ['object', ['object']],
    ['date', ['text']],
    ['date-time', ['text']],
    ['bytes', ['text']],
  ])('of type %s takes values of that type, and nothing else, however it is declared', (type, right) => {
    for (const document of [listed(type), described({ type })]) {
      for (const [name, value] of Object.entries(samples)) {
        if (right.includes(name)) expect(declaredVariables(document, { v: value })).toEqual({ v: value })
        else expect(() => declaredVariables(document, { v: value })).toThrow('the variable "v" is ')
      }
      expect(() => declaredVariables(document, { v: null })).toThrow(/the variable "v" is .*, and not null/)
      expect(declaredVariables(document, { w: 1 })).toEqual({})
    }
  })

  test.each(['bytes', 'date-time'])('of format %s is a text, which nobody looks into here', (format) => {
    expect(declaredVariables(listed('string', format), { v: 'x' })).toEqual({ v: 'x' })
    expect(() => declaredVariables(listed('string', format), { v: 1 })).toThrow('the variable "v" is a text')
  })

  test.each<[JsonObject]>([[{ type: ['integer', 'null'] }], [{ type: 'integer', nullable: true }], [{ type: 'integer', enum: [1, null] }]])(
    'takes null where its schema %j allows that, and other types no more than before',
    (property) => {
      const document = described(property)
      expect(declaredVariables(document, { v: null })).toEqual({ v: null })
      expect(() => declaredVariables(document, { v: 'x' })).toThrow('the variable "v" is a whole number or null, and not what was sent')
      const both = declaring({ api_variables: [{ name: 'v', type: 'integer' }], api_schema: { properties: { v: property } } })
      expect(declaredVariables(both, { v: null })).toEqual({ v: null })
    },
  )

  test('need not be there, whatever its schema requires', () => {
    expect(declaredVariables(described({ type: 'string' }, { required: ['v'] }), {})).toEqual({})
    expect(declaredVariables(declaring({ outputJsonSchema: { properties: { v: { type: 'string' } }, required: ['v'] } }), {})).toEqual({})
  })

  test('of a type that is not known here takes everything', () => {
    for (const value of [...Object.values(samples), null]) expect(declaredVariables(listed('colour'), { v: value })).toEqual({ v: value })
  })

  test('of a snippet takes null from the step that runs it, and need not be there', () => {
    const parameters = { schema: { properties: { v: { type: 'string' } }, required: ['v'] }, variables: [{ name: 'v', type: 'string' }] }
    const document = readWorkflow({ name: 'w', type: 'snippet', steps: [{ id: 's', name: 's', type: 'snippet_map', parameters }], paths: [] })
    expect(declaredVariables(document, { v: null })).toEqual({ v: null })
    expect(declaredVariables(document, {})).toEqual({})
    expect(() => declaredVariables(document, { v: 1 })).toThrow('the variable "v" is a text')
  })

  test('of a plugin trigger is passed on as the plugin gives it, with all that is beside it', () => {
    const plugin = { slugVendor: 'v', slugName: 'p', slugVersion: '1.0.0' }
    const document = declaring({ type: 'trigger_plugin', plugin, identifier: 't', outputJsonSchema: { properties: { v: { type: 'string' } } } })
    expect(declaredVariables(document, { v: null, more: 1 })).toEqual({ v: null, more: 1 })
  })

  test('may be called as members of prototypes are', () => {
    const document = declaring({
      api_variables: [
        { name: '__proto__', type: 'string' },
        { name: 'constructor', type: 'string' },
      ],
    })
    expect(declaredVariables(document, {})).toEqual({})
    expect(Object.entries(declaredVariables(document, JSON.parse('{"__proto__":"x"}') as JsonObject))).toEqual([['__proto__', 'x']])
  })
})
