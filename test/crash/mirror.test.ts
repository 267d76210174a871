import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { git, gitUrl, pushTree } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// The remote is the server of another installation, behind something that can hold a pack back in its middle.
let remote: Server
let server: Server
let held = 0
let holding = false
let gate: { url: string; close(): Promise<unknown> }

async function startGate(port: number) {
  const front = createServer((asked, answer) => {
    const onward = ask({ host: '127.0.0.1', port, path: asked.url ?? '', method: asked.method ?? 'GET', headers: asked.headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      let sent = 0
      reply.on('data', (chunk: Buffer) => {
        if (holding && sent > 100_000) {
          held++
          reply.pause()
          return
        }
        sent += chunk.length
        answer.write(chunk)
      })
      reply.on('end', () => answer.end())
      reply.on('error', () => answer.destroy())
    })
    onward.on('error', () => answer.destroy())
    asked.pipe(onward)
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    close() {
      front.closeAllConnections()
      return new Promise((resolve) => front.close(resolve))
    },
  }
}

beforeAll(async () => {
  remote = await startServer()
  gate = await startGate(remote.port)
  server = await startServer({ environment: { CAPSTAN_EGRESS_ALLOW: '127.0.0.1/32' } })
  await remote.admin.ok('repository.create', { path: 'there' })
  await push('first')
})
afterAll(async () => {
  await server?.close()
  await gate?.close()
  await remote?.close()
})

const uri = () => gitUrl(gate.url, 'there', remote.admin)
const storage = () => readdirSync(join(server.data, 'repositories')).filter((name) => name.startsWith('.new') || name.endsWith('.git'))
const tip = async (path: string, of: Server) =>
  (await git(of.folder, ['ls-remote', gitUrl(of.url, path, of.admin), 'refs/heads/master'])).out.slice(0, 40)

async function push(name: string): Promise<void> {
  const { code, err } = await pushTree(gitUrl(remote.url, 'there', remote.admin), { [name]: randomBytes(2_000_000).toString('base64') })
  expect(code, err).toBe(0)
}

/** Kills the server in the middle of a transfer. */
async function killAt(working: Promise<unknown>): Promise<void> {
  const before = held
  await until('the transfer is in its middle', () => held > before)
  await server.kill()
  await working
  holding = false
  await server.start()
}

test('in the middle of making a mirror: nothing of it is there, no git of it runs, and the name is free', async () => {
  holding = true
  await killAt(server.admin.call('repository.create', { path: 'here', clone_uri: uri() }).catch(() => null))
  expect(storage()).toEqual([])
  expect((await server.admin.call('repository.get', { repository: 'here' })).status).toBe(404)
  await server.admin.ok('repository.create', { path: 'here', clone_uri: uri() })
  expect(await tip('here', server)).toBe(await tip('there', remote))
})

test('in the middle of a pull: every branch is as it was, nothing is left over, and the pull can be repeated', async () => {
  const before = await tip('here', server)
  await push('second')
  holding = true
  await killAt(server.admin.call('repository.pull', { repository: 'here' }).catch(() => null))
  expect(await tip('here', server)).toBe(before)
  const [repository = ''] = storage()
  const left = readdirSync(join(server.data, 'repositories', repository), { recursive: true }).filter((name) =>
    /tmp_|incoming|\.lock$/.test(String(name)),
  )
  expect(left).toEqual([])
  expect((await server.admin.ok('repository.list-pushes', { repository: 'here' })).items).toEqual([])
  await server.admin.ok('repository.pull', { repository: 'here' })
  expect(await tip('here', server)).toBe(await tip('there', remote))
  expect((await server.admin.ok('repository.list-pushes', { repository: 'here' })).items).toHaveLength(1)
  const fsck = await git(join(server.data, 'repositories', repository), ['fsck', '--full'])
  expect([fsck.code, fsck.err.includes('error')]).toEqual([0, false])
})

test('at any moment of a pull: what was answered is there, and each change is on record once', async () => {
  for (let round = 0; round < 3; round++) {
    await push(`round-${round}`)
    const pulling = server.admin.call('repository.pull', { repository: 'here' }).catch(() => null)
    await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 200))
    await server.kill()
    const reply = await pulling
    await server.start()
    if (reply?.status === 200) expect(await tip('here', server)).toBe(await tip('there', remote))
    await server.admin.ok('repository.pull', { repository: 'here' })
    expect(await tip('here', server)).toBe(await tip('there', remote))
  }
  const { items } = await server.admin.ok('repository.list-pushes', { repository: 'here' })
  const reached = (items as { state: string; changes: { to: string }[] }[])
    .filter(({ state }) => state === 'done')
    .flatMap(({ changes }) => changes.map(({ to }) => to))
  expect(reached).toHaveLength(4)
  expect(new Set(reached).size).toBe(4)
}, 90_000)

test('the password of the remote is in no line of the log and in no file as it is', () => {
  expect(server.said().log + server.said().out).not.toContain(encodeURIComponent(remote.admin.password))
  expect(server.said().log).not.toContain(remote.admin.password)
  // The same password is this server's administrator's, so only the database of the mirror is looked at, which keeps hashes.
  const database = readdirSync(server.data).filter((name) => /\.db|sqlite/.test(name))
  for (const name of database) expect(readFileSync(join(server.data, name)).includes(encodeURIComponent(remote.admin.password))).toBe(false)
})
