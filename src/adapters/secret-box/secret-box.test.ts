import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createSecretBox } from './secret-box.ts'

const folders: string[] = []
const newFolder = () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'capstan-box-')), 'keys')
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(join(folder, '..'), { recursive: true })
})

test('what was sealed opens again, after a restart too, and never twice the same', () => {
  const folder = newFolder()
  const sealed = createSecretBox({ folder }).seal('pä$$ 🔑', 'secret:1')
  expect(createSecretBox({ folder }).open(sealed, 'secret:1').reveal()).toBe('pä$$ 🔑')
  expect(createSecretBox({ folder }).seal('pä$$ 🔑', 'secret:1')).not.toBe(sealed)
  expect(sealed).not.toContain(Buffer.from('pä$$').toString('base64url'))
})

test('a sealed text does not open for another context, another installation, or when a character changed', () => {
  const box = createSecretBox({ folder: newFolder() })
  const sealed = box.seal('value', 'secret:1')
  expect(() => box.open(sealed, 'secret:2')).toThrow()
  expect(() => createSecretBox({ folder: newFolder() }).open(sealed, 'secret:1')).toThrow()
  for (const at of [3, 10, 25, sealed.length - 2]) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    expect(() => box.open(changed, 'secret:1'), String(at)).toThrow()
  }
  for (const text of ['', 'v1.', 'v1.AAAA', 'v2.AAAA', 'value']) expect(() => box.open(text, 'secret:1'), text).toThrow()
})

test('the key file is 0600 in a folder 0700, whatever the umask, and nothing else is left there', () => {
  const folder = newFolder()
  // In a process of its own, because the umask is one for the whole process.
  const program = 'process.umask(0); (await import(process.argv[1])).createSecretBox({ folder: process.argv[2] })'
  const module = new URL('./secret-box.ts', import.meta.url).href
  execFileSync(process.execPath, ['--input-type=module', '-e', program, module, folder])
  expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(readdirSync(folder)).toEqual(['master.key'])
})

test('a key file that others may read is closed to them, and a damaged one is never replaced', () => {
  const folder = newFolder()
  createSecretBox({ folder })
  chmodSync(join(folder, 'master.key'), 0o644)
  createSecretBox({ folder })
  expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600)
  writeFileSync(join(folder, 'master.key'), 'short')
  expect(() => createSecretBox({ folder })).toThrow(/damaged/)
})

test('a fingerprint is the same for the same value and purpose, and tells nothing about another purpose', () => {
  const box = createSecretBox({ folder: newFolder() })
  expect(box.fingerprint('a', 'x')).toBe(box.fingerprint('a', 'x'))
  expect(box.fingerprint('a', 'x')).not.toBe(box.fingerprint('a', 'y'))
  expect(box.fingerprint('a', 'x')).toMatch(/^[0-9a-f]{64}$/)
})
