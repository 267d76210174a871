import { expect, test } from 'vitest'
import { readSpec } from './spec.ts'
import { withoutPasswords } from './secret-inputs.ts'

test('of an input what its spec calls a password or a credential is not shown, wherever it stands; everything else is as it was', async () => {
  const spec = await readSpec(`
name: box
vendor: lab
version: 1.0.0
types:
  host: { name: { type: string }, secret: { type: password } }
actions:
  open:
    input:
      url: { type: string }
      key: { type: password }
      none: { type: password }
      login: { type: credential_username_password }
      hosts: { type: "[]host" }
`)
  const open = spec.actions.get('open')
  if (!open) throw new Error('It has one action')
  const input = {
    ...{ url: 'https://a.test', key: 'k', none: '', login: { username: 'ann', password: 'p' }, other: 'as it is' },
    hosts: [{ name: 'one', secret: 's' }, 'odd'],
  }
  expect(withoutPasswords(open, input)).toEqual({
    ...{ url: 'https://a.test', key: '********', none: '', login: { username: '********', password: '********' }, other: 'as it is' },
    hosts: [{ name: 'one', secret: '********' }, 'odd'],
  })
  const hostile = JSON.parse('{"__proto__":{"key":"x"},"key":5}')
  expect(JSON.stringify(withoutPasswords(open, hostile))).toBe('{"__proto__":{"key":"x"},"key":"********"}')
})
