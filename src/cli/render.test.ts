import { expect, test } from 'vitest'
import { renderOutput } from './render.ts'

test('a list shows how things stand right after what they are called', () => {
  const items = [{ id: 'a1', type: 'active', name: 'Look up', status: 'failed', started_by: 'ann', context: {} }]
  expect(renderOutput({ items })).toMatch(/^NAME +STATUS +STARTED_BY +ID +TYPE\nLook up +failed +ann +a1 +active\n$/)
})

test('of a document that is part of one thing the beginning is shown, of a text everything', () => {
  const text = 'x'.repeat(1000)
  const [document, note, small] = renderOutput({ document: { text }, note: text, small: { a: 1 } }).split('\n')
  expect(document).toMatch(/^document {2}\{"text":"x{291}… \(--json has it whole\)$/)
  expect(note).toBe(`note      ${text}`)
  expect(small).toBe('small     {"a":1}')
})
