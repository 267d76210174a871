import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { git, gitUrl } from '../support/git.ts'
import { until } from '../support/until.ts'
import type { Ran } from '../support/programs.ts'
import type { Server } from '../support/server.ts'

/** Pushes of large commits from one working copy to `path`. */
export async function openPush(server: Server, path: string) {
  const url = gitUrl(server.url, path, server.admin)
  const work = join(server.folder, path)
  mkdirSync(work)
  await must(git(work, ['init', '-q', '-b', 'master']))
  const attempt = () => git(work, ['push', '-q', url, 'HEAD:refs/heads/master'])
  return {
    /** Commits what does not compress, and gives its id. */
    async commit(): Promise<string> {
      writeFileSync(join(work, 'large'), randomBytes(6 * 1024 * 1024))
      await must(git(work, ['add', '-A']))
      await must(git(work, ['commit', '-q', '-m', 'large']))
      return (await must(git(work, ['rev-parse', 'HEAD']))).out.trim()
    },
    try: attempt,
    whole: () => must(attempt()),
    /** What the server says the branch points at; '' for nothing. */
    listed: async () => (await must(git(work, ['ls-remote', url, 'refs/heads/master']))).out.split('\t')[0]?.trim() ?? '',
    /** Clones it and lets git look at every object. */
    async check(): Promise<void> {
      const clone = join(server.folder, `${path}-clone`)
      await must(git(server.folder, ['clone', '-q', url, clone]))
      await must(git(clone, ['fsck', '--full', '--strict']))
    },
    /** Sends the first half of a push by hand, and resolves when git holds a part of it. */
    async half(): Promise<{ gone: Promise<void> }> {
      const head = (await must(git(work, ['rev-parse', 'HEAD']))).out.trim()
      const line = `${'0'.repeat(40)} ${head} refs/heads/master\0report-status`
      const command = `${(Buffer.byteLength(line) + 4).toString(16).padStart(4, '0')}${line}0000`
      const pack = await packOf(work, head)
      const sending = request(`${server.url}/${path}/git-receive-pack`, {
        method: 'POST',
        auth: `${server.admin.name}:${server.admin.password}`,
        headers: { 'content-type': 'application/x-git-receive-pack-request', 'transfer-encoding': 'chunked' },
      })
      const gone = new Promise<void>((resolve) => sending.once('close', resolve))
      sending.on('error', () => {}) // its server is killed
      sending.write(command)
      sending.write(pack.subarray(0, pack.length / 2))
      await until('git holds a part of the push', () => arriving(server))
      return { gone }
    },
  }
}

/** Whether git holds a part of a push: what arrives waits in a folder of its own until it is complete. */
export function arriving(server: Server): boolean {
  return readdirSync(join(server.data, 'repositories'), { recursive: true }).some((name) => /tmp_objdir|incoming|tmp_pack/.test(String(name)))
}

async function must(running: Promise<Ran>): Promise<Ran> {
  const ended = await running
  if (ended.code !== 0) throw new Error(`git ended with ${ended.code}: ${ended.err}`)
  return ended
}

function packOf(work: string, head: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['pack-objects', '--revs', '--stdout', '-q'], { cwd: work, stdio: ['pipe', 'pipe', 'ignore'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', () => resolve(Buffer.concat(chunks)))
    child.stdin.end(`${head}\n`)
  })
}
