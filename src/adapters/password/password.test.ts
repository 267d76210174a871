import { hashSync } from 'bcryptjs'
import { expect, test } from 'vitest'
import { isFault } from '../../core/kernel/fault.ts'
import { createPasswordHasher } from './password.ts'

const passwords = createPasswordHasher()

test('a hash says how it was made, is salted, and only its own password fits', async () => {
  const [one, two] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(one).not.toBe(two)
  expect(await passwords.verify('correct horse', one)).toBe(true)
  expect(await passwords.verify('correct horsf', one)).toBe(false)
  expect(await passwords.verify('', one)).toBe(false)
})

test('a hash of the reference implementation is understood', async () => {
  const published = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  expect(await passwords.verify('password', published)).toBe(true)
  expect(await passwords.verify('passwort', published)).toBe(false)
})

test('what is no hash of this kind, or asks for too much, is refused without work', async () => {
  const [, , , , salt, tag] = (await passwords.hash('x')).split('$')
  for (const hash of [
    '',
    'x',
    '$2b$10$abcdefghijklmnopqrstuv',
    `$argon2id$v=19$m=9999999,t=2,p=1$${salt}$${tag}`,
    `$argon2i$v=19$m=19456,t=2,p=1$${salt}$${tag}`,
  ])
    expect(await passwords.verify('x', hash), hash).toBe(false)
})

const imported = hashSync('correct horse', 5)

test('a hash of bcrypt, from an import, is verified and said to be outdated', async () => {
  const hasher = createPasswordHasher()
  expect(hasher.outdated(imported)).toBe(true)
  expect(hasher.outdated(await hasher.hash('x'))).toBe(false)
  for (const kind of ['$2a$', '$2b$', '$2y$']) expect(await hasher.verify('correct horse', imported.replace(/^\$2.\$/, kind))).toBe(true)
  expect(await hasher.verify('correct horsf', imported)).toBe(false)
  expect(await hasher.verify('correct horse\0', imported)).toBe(false)
  expect(await hasher.verify('', imported)).toBe(false)
})

test('a hash of bcrypt that would take minutes is refused without work', async () => {
  expect(await passwords.verify('correct horse', imported.replace('$05$', '$30$'))).toBe(false)
  expect(passwords.outdated(imported.replace('$05$', '$30$'))).toBe(false)
})

test('where hashes of bcrypt are expected, everybody takes as long as one of those', async () => {
  const hasher = createPasswordHasher()
  hasher.expectOutdated()
  const hashes = { outdated: hashSync('somebody', 10), ours: await hasher.hash('somebody'), unknown: null }
  const quickest = { outdated: Infinity, ours: Infinity, unknown: Infinity }
  // In turn, and the quickest of each: others use this machine as well.
  for (let round = 0; round < 4; round++) {
    for (const who of ['outdated', 'ours', 'unknown'] as const) {
      const start = performance.now()
      expect(await hasher.verify('wrong', hashes[who])).toBe(false)
      quickest[who] = Math.min(quickest[who], performance.now() - start)
    }
  }
  // Without bcrypt it would be a sixth.
  expect(quickest.ours).toBeGreaterThan(quickest.outdated / 2)
  expect(quickest.unknown).toBeGreaterThan(quickest.outdated / 2)
})

test('nobody costs as much as somebody', async () => {
  const hash = await passwords.hash('somebody')
  const took = async (against: string | null) => {
    const start = performance.now()
    for (let i = 0; i < 8; i++) expect(await passwords.verify('wrong', against)).toBe(false)
    return performance.now() - start
  }
  await took(hash)
  const [known, unknown] = [await took(hash), await took(null)]
  // Generous, because the machine is shared; without the work of a hash it would be a thousand times less.
  expect(unknown).toBeGreaterThan(known / 4)
})

test('a flood of sign-ins is refused beyond a bound, and the rest is served', async () => {
  // Cheap hashes: the bound is about how many wait, not about how long.
  const hash = `$argon2id$v=19$m=64,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
  const results = await Promise.allSettled(Array.from({ length: 204 }, () => passwords.verify('x', hash)))
  const refused = results.filter((result) => result.status === 'rejected')
  expect(refused).toHaveLength(2)
  expect(refused.every((result) => isFault(result.reason, 'overloaded'))).toBe(true)
  expect(await passwords.verify('x', hash)).toBe(false)
})
