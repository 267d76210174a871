import { expect, test } from 'vitest'
import { requiredInputs, withDefaults } from './defaults.ts'
import { readSpec } from './spec.ts'

const words = {
  text: ['string', 'text', 'bytes', 'date', 'date-time', 'password', 'python', 'strng'],
  zero: ['integer', 'int', 'number', 'float'],
  no: ['boolean', 'bool'],
  list: ['array', '"[]string"', '"[][]integer"', '"[]thing"'],
  object: ['object'],
  absent: ['thing', 'file', 'credential_secret_key', 'string, enum: [a, b]'],
}

async function component() {
  const fields = Object.entries(words).flatMap(([kind, types]) => types.map((type, index) => `      ${kind}${index}: { type: ${type} }`))
  const spec = await readSpec(`name: zoo
vendor: lab
version: 1.0.0
types:
  thing:
    a: { type: string }
actions:
  go:
    input:
      wanted: { type: string, required: true, default: x }
      given: { type: string, default: y }
${fields.join('\n')}
`)
  const action = spec.actions.get('go')
  if (!action) throw new Error('The spec has the action')
  return action
}

test('an optional input that is missing gets the default of the spec, else the zero of its type, whatever word the spec has for it', async () => {
  const filled = withDefaults(await component(), {})
  const each = (kind: keyof typeof words, value: unknown) => words[kind].map((_, index) => [`${kind}${index}`, value])
  expect(filled).toEqual(
    Object.fromEntries([['given', 'y'], ...each('text', ''), ...each('zero', 0), ...each('no', false), ...each('list', []), ...each('object', {})]),
  )
})

test('a required input is never filled in, so it is missed at once', async () => {
  const action = await component()
  expect(withDefaults(action, {})).not.toHaveProperty('wanted')
  expect(requiredInputs(action)).toEqual(['wanted'])
})
