import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { quoted } from './environment.ts'
import { folderOf, makeFolder } from './folder.ts'
import { readBoot } from './proc.ts'
import { startSupervisor } from './supervisor-child.ts'

const root = mkdtempSync(join(tmpdir(), 'capstan-message-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Has a supervisor begin work that reads a message and says something, is sent this much of it, and waits for its end. */
async function supervised(name: string, message: Buffer, sent: Buffer) {
  const folder = folderOf(root, name)
  makeFolder(folder)
  writeFileSync(join(folder.path, 'err'), '')
  const words = ['/dev/null', readBoot(), '20', '', 'none', '', String(message.length), 'sh', '-c', 'cat <&4; echo a word >&2; exit 3']
  writeFileSync(join(folder.path, 'launch'), `set -- ${words.map(quoted).join(' ')}\n`)
  const made = startSupervisor('t')
  if (!made) throw new Error('no process')
  const ended = new Promise((resolve) => made.child.once('exit', resolve))
  made.input.write(`${folder.path}\n`)
  made.input.end(sent)
  await ended
  const text = (file: string) => (existsSync(join(folder.path, file)) ? readFileSync(join(folder.path, file), 'latin1') : null)
  return { out: text('out'), err: text('err'), exit: text('exit'), started: text('started') }
}

test('work gets its message byte by byte, and its two outputs are kept apart', async () => {
  const every = Buffer.from([...Array(254).keys()].map((at) => at + 1).filter((byte) => byte !== 10))
  const { out, err, exit } = await supervised('whole', every, every)
  expect([out, err, exit]).toEqual([every.toString('latin1'), 'a word\n', '3\n'])
})

test('work whose message did not come whole, since its server was killed, is never begun', async () => {
  const message = Buffer.from(JSON.stringify({ body: { input: { text: 'x'.repeat(100_000) } } }))
  for (const [at, length] of [0, 1, 70_000, message.length - 1].entries()) {
    expect(await supervised(`half-${at}`, message, message.subarray(0, length))).toEqual({ out: '', err: '', exit: null, started: null })
  }
})

test('what work says beyond its bound is thrown away on both sides, and it is not held up by that', async () => {
  const large = Buffer.alloc(400_000, 'y')
  const { out, exit } = await supervised('large', large, large)
  expect([out?.length, exit]).toEqual([20 * 512, '3\n'])
})
