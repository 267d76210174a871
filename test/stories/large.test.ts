import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitUrl } from '../support/git.ts'
import { ran } from '../support/programs.ts'
import { startServer } from '../support/server.ts'
import type { Server } from '../support/server.ts'

let server: Server

beforeAll(async () => {
  server = await startServer()
  await server.admin.ok('repository.create', { path: 'large' })
})
afterAll(() => server?.close())

async function git(folder: string, ...args: string[]): Promise<void> {
  const { code, err } = await ran(['git', '-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { timeoutMs: 110_000 })
  if (code !== 0) throw new Error(err)
}

// Of the server alone: what else runs here must not count.
function resident(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid()}/status`, 'utf8'))?.[1]) / 1024
}

test('100 MiB go in and out by git without the server growing with them', async () => {
  const copy = join(server.folder, 'copy')
  mkdirSync(copy)
  for (let at = 0; at < 25; at++) writeFileSync(join(copy, `${at}.bin`), randomBytes(4 << 20))
  await git(copy, 'init', '-q', '-b', 'master')
  await git(copy, 'config', 'core.compression', '0')
  await git(copy, 'add', '-A')
  await git(copy, 'commit', '-q', '-m', 'large')
  const before = resident()
  let top = before
  const watch = setInterval(() => {
    top = Math.max(top, resident())
  }, 20)
  await git(copy, 'push', '-q', gitUrl(server.url, 'large', server.admin), 'master')
  await git(server.folder, 'clone', '-q', '--bare', gitUrl(server.url, 'large', server.admin), 'again.git')
  clearInterval(watch)
  // Less than what went through it, in either direction.
  expect(top - before).toBeLessThan(100)
  rmSync(copy, { recursive: true })
}, 120_000)
