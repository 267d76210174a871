import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faults } from '../../core/kernel/fault.ts'
import { version } from '../../core/kernel/version.ts'
import { operations } from '../../core/operations.ts'
import { advice } from './advice.ts'
import { documents } from './write.ts'

const root = join(import.meta.dirname, '..', '..', '..')

describe('generated documents', () => {
  test.each(Object.entries(documents(operations)))('docs/%s is what "npm run docs" writes', async (name, text) => {
    expect(await readFile(join(root, 'docs', name), 'utf8')).toBe(text)
  })

  test('every operation stands in its page with its example', () => {
    const page = documents(operations)['operations.md'] ?? ''
    for (const { name } of operations) expect(page).toContain(`### ${name}\n`)
  })

  test('every fault has advice, and no advice is about a fault that is gone', () => {
    expect(Object.keys(advice).sort()).toEqual(Object.keys(faults).sort())
  })

  test('the version is that of the package', async () => {
    expect(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version).toBe(version)
  })
})
