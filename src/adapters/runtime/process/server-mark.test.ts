import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { hasEnded, markOfServer } from './server-mark.ts'

test('a server that was killed is known to be gone, and one that lives is not', async () => {
  expect(hasEnded(markOfServer())).toBe(false)
  const module = fileURLToPath(new URL('./server-mark.ts', import.meta.url))
  const text = `const { markOfServer } = await import(${JSON.stringify(module)}); console.log(markOfServer()); setInterval(() => {}, 1e6)`
  const other = spawn(process.execPath, ['--input-type=module', '--eval', text], { stdio: ['ignore', 'pipe', 'inherit'] })
  const mark = await new Promise<string>((resolve) => other.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())))
  expect(hasEnded(mark)).toBe(false)
  const gone = new Promise((resolve) => other.once('exit', resolve))
  other.kill('SIGKILL')
  await gone
  expect(hasEnded(mark)).toBe(true)
})

test('of another boot, another process table, and what was not written by a server of today nothing is told', () => {
  const [boot, table, , start] = markOfServer().split(' ')
  const dead = [boot, table, '1', '1']
  expect(hasEnded(dead.join(' '))).toBe(true)
  expect(hasEnded(['00000000-0000-0000-0000-000000000000', ...dead.slice(1)].join(' '))).toBe(false)
  expect(hasEnded([boot, 'pid:[1]', '1', '1'].join(' '))).toBe(false)
  expect(hasEnded(String(boot))).toBe(false)
  expect(hasEnded('')).toBe(false)
  expect(start).toMatch(/^\d+$/)
})
