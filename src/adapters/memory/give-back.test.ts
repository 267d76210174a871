import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const mib = 1024 * 1024

// Holds 64 MiB of small objects, lets go of them, and says what is still there when the server has rested, or after so many seconds.
const program = `
const { giveBackMemory } = await import(${JSON.stringify(join(import.meta.dirname, 'give-back.ts'))})
const { systemClock } = await import(${JSON.stringify(join(import.meta.dirname, '../../core/kernel/clock.ts'))})
globalThis.held = Array.from({ length: 500_000 }, (_, n) => ({ n, text: 'x'.repeat(8) + n }))
const most = process.memoryUsage().heapTotal
globalThis.held = null
giveBackMemory({ clock: systemClock })
const began = performance.now()
const look = () => {
  const { heapTotal } = process.memoryUsage()
  if (heapTotal < most / 2 || performance.now() - began > 20_000) process.stdout.write(JSON.stringify({ most, left: heapTotal }))
  else setTimeout(look, 500)
}
look()
`

async function restOf(flags: readonly string[]): Promise<{ most: number; left: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', program])
  return JSON.parse(stdout) as { most: number; left: number }
}

test('a server that comes to rest gives back what its work took', { timeout: 40_000 }, async () => {
  const { most, left } = await restOf(['--expose-gc'])
  expect(most).toBeGreaterThan(30 * mib)
  expect(left).toBeLessThan(most / 2)
})
