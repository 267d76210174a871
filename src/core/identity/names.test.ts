import { expect, test } from 'vitest'
import { isFault } from '../kernel/fault.ts'
import { checkName, checkPassword, emailFor, foldEmail } from './names.ts'

const refuses = (work: () => unknown) => {
  try {
    work()
    return false
  } catch (error) {
    if (!isFault(error, 'invalid_name')) throw error
    return true
  }
}

test.each(['ann', 'Ann', 'ann.b', 'ann_b-c', 'ann+ci', 'ann@example.org', 'Zoë', '李雷', 'ann 2nd', '4ever', 'a'])('%s is a name', (name) => {
  expect(checkName('user name', name)).toBe(name)
})

test.each([
  ['', 'empty'],
  ['--x', 'an option'],
  ['-', 'an option'],
  ['.', 'a path'],
  ['../etc', 'a path'],
  ['a/b', 'a path'],
  ['a\\b', 'a path'],
  ['user:ann', 'a reference'],
  ['a;b', 'a command'],
  ['$(id)', 'a command'],
  ['`id`', 'a command'],
  ['a|b', 'a command'],
  ['a&b', 'a command'],
  ['a\nb', 'a line break'],
  ['a\r', 'a line break'],
  ['a\0b', 'a NUL'],
  ['a\u001b[31m', 'an escape'],
  ['a\u202eb', 'a direction mark'],
  ['\u200fa', 'a direction mark'],
  ['a\u200bb', 'an invisible character'],
  ['a\u00adb', 'an invisible character'],
  ['a\u3164', 'an invisible character'],
  ['a\ufe0f', 'an invisible character'],
  ['a\u00a0b', 'another space'],
  ['a\u2028b', 'a line separator'],
  [' a', 'a space outside'],
  ['a ', 'a space outside'],
  ['a  b', 'two spaces'],
  ['ａｎｎ', 'full-width letters'],
  ['ﬁne', 'a ligature'],
  ['\ud800', 'half a character'],
  ['default', 'reserved'],
  ['Everyone', 'reserved'],
  ['SYSTEM', 'reserved'],
  ['12345', 'digits'],
  ['507f1f77bcf86cd799439011', 'an object id'],
  ['507F1F77BCF86CD799439011', 'an object id'],
  ['01981c0e-0000-7000-8000-000000000000', 'a UUID'],
  ['01981C0E-0000-7000-8000-000000000000', 'a UUID'],
  ["o'neil", 'a quote'],
  ['<b>', 'markup'],
  ['a*', 'a pattern'],
  ['a'.repeat(101), 'too long'],
])('%j is no name: %s', (name) => {
  expect(refuses(() => checkName('user name', name))).toBe(true)
})

test('addresses are folded, and what is none is refused', () => {
  expect(foldEmail(' Ann@Example.ORG ')).toBe('ann@example.org')
  for (const email of ['', 'ann', '@x', 'a@', 'a@b@c', 'a b@c', 'a,b@c', 'a\n@c', '-a@b', `${'a'.repeat(251)}@b.c`, 'a\u202e@b.c'])
    expect(
      refuses(() => foldEmail(email)),
      email,
    ).toBe(true)
})

test('a name with an @ is the address as well, and no other stands beside it', () => {
  expect(emailFor('Ann@Example.org', undefined)).toBe('ann@example.org')
  expect(emailFor('ann@example.org', 'ANN@example.org')).toBe('ann@example.org')
  expect(refuses(() => emailFor('ann@example.org', 'bob@example.org'))).toBe(true)
  expect(emailFor('ann', null)).toBeNull()
  expect(emailFor('ann', '')).toBeNull()
})

test('weak passwords are refused, and the refusal does not repeat them', () => {
  const user = { name: 'administratrix', email: 'root-mail@example.org' }
  for (const password of [
    'short',
    '1234567',
    'password',
    'Password1!',
    'qwertyuiop',
    'aaaaaaaaaaaa',
    'ADMINISTRATRIX',
    'root-mail@example.org',
    'root-mail',
    'x'.repeat(1025),
    'ü'.repeat(600),
    'nul\0nul\0nul',
  ])
    expect(
      refuses(() => checkPassword(password, user)),
      password,
    ).toBe(true)
  for (const password of ['Pw-ann-12345', 'correct horse', 'üy'.repeat(300)]) expect(() => checkPassword(password, user)).not.toThrow()
  try {
    checkPassword('qwertyuiop', user)
  } catch (error) {
    expect(String(error)).not.toContain('qwertyuiop')
  }
})
