import { expect, test } from 'vitest'
import { createPasswordHasher } from '../../adapters/password/password.ts'
import { manualClock } from '../../../test/support/clock.ts'
import { ProofCache } from './proof-cache.ts'
import type { PasswordHasher } from '../../ports/password.ts'

// The real hasher, counted.
function counted() {
  const real = createPasswordHasher()
  const passwords: PasswordHasher & { verified: number } = {
    ...real,
    verified: 0,
    verify(password, hash) {
      passwords.verified++
      return real.verify(password, hash)
    },
  }
  return passwords
}

const lab = async () => {
  const passwords = counted()
  const clock = manualClock()
  const proofs = new ProofCache({ clock })
  const user = { id: 'u1', password_hash: await passwords.hash('the right one'), active: true }
  return { passwords, clock, proofs, user }
}

test('a proved password costs no second hash for a minute, then it is proved again', async () => {
  const { passwords, clock, proofs, user } = await lab()
  for (let i = 0; i < 100; i++) expect(await proofs.verify(passwords, user, 'the right one')).toBe(true)
  expect(passwords.verified).toBe(1)
  clock.advance(60_001)
  expect(await proofs.verify(passwords, user, 'the right one')).toBe(true)
  expect(passwords.verified).toBe(2)
})

test('a wrong password costs a hash each time, also after the right one was proved', async () => {
  const { passwords, proofs, user } = await lab()
  await proofs.verify(passwords, user, 'the right one')
  for (let i = 0; i < 3; i++) expect(await proofs.verify(passwords, user, 'a wrong one')).toBe(false)
  expect(passwords.verified).toBe(4)
})

test('after a change of the password the old one is never right again, cached or not', async () => {
  const { passwords, proofs, user } = await lab()
  expect(await proofs.verify(passwords, user, 'the right one')).toBe(true)
  const changed = { ...user, password_hash: await passwords.hash('another one') }
  expect(await proofs.verify(passwords, changed, 'the right one')).toBe(false)
  expect(await proofs.verify(passwords, changed, 'another one')).toBe(true)
  expect(await proofs.verify(passwords, { ...user, password_hash: null }, 'the right one')).toBe(false)
})

test('a closed account costs a hash each time, also where it was proved before it was closed', async () => {
  const { passwords, proofs, user } = await lab()
  await proofs.verify(passwords, user, 'the right one')
  for (let i = 0; i < 3; i++) expect(await proofs.verify(passwords, { ...user, active: false }, 'the right one')).toBe(true)
  expect(passwords.verified).toBe(4)
})

test('a proof of one user is none of another', async () => {
  const { passwords, proofs, user } = await lab()
  await proofs.verify(passwords, user, 'the right one')
  const other = { id: 'u2', password_hash: await passwords.hash('something else'), active: true }
  expect(await proofs.verify(passwords, other, 'the right one')).toBe(false)
})

test('nobody and somebody without a password cost a hash as well', async () => {
  const { passwords, proofs } = await lab()
  expect(await proofs.verify(passwords, null, 'x')).toBe(false)
  expect(await proofs.verify(passwords, { id: 'u3', password_hash: null, active: true }, 'x')).toBe(false)
  expect(await proofs.verify(passwords, null, 'x'.repeat(5000))).toBe(false)
  expect(passwords.verified).toBe(3)
})

test('many equal sign-ins at once share one hash', async () => {
  const { passwords, proofs, user } = await lab()
  const results = await Promise.all(Array.from({ length: 50 }, () => proofs.verify(passwords, user, 'the right one')))
  expect(results.every(Boolean)).toBe(true)
  expect(passwords.verified).toBe(1)
})

test('a hash that is refused beforehand is not made', async () => {
  const { passwords, proofs, user } = await lab()
  const refuse = () => {
    throw new Error('too many')
  }
  await expect(proofs.verify(passwords, user, 'the right one', refuse)).rejects.toThrow('too many')
  expect(passwords.verified).toBe(0)
})
