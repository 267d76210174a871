import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Hg } from '../../ports/hg.ts'
import { hasHg, hgProcesses, openHgLab } from './hg-lab.suite.ts'
import { Lingering } from './lingering.ts'

const author = { name: 'Ann', email: 'ann@lab.test', at: 1_700_000_000_000, zone: '+0000' }

async function commit(hg: Hg, id: string, parent: string | null): Promise<string> {
  const files = [{ path: 'a', content: Buffer.from(randomUUID()) }]
  const made = await hg.commit(id, { branch: 'refs/heads/default', parent, files, author, message: 'x' })
  if (made === 'conflict') throw new Error('A fixture is in conflict')
  return made
}

async function heads(hg: Hg, id: string, end: 'read' | 'write' = 'read'): Promise<string> {
  const asked = { method: 'GET', command: 'heads', query: '', body: null, headers: { accept: 'application/mercurial-0.1' } } as const
  const { body } = await hg.serve({ ...asked, id, end, signal: new AbortController().signal })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1').trim()
}

/** Children that have a client: its socket takes the place of the input that they closed. */
function taken(root: string): number[] {
  const all = hgProcesses(root)
  return all.filter((pid) => {
    try {
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
      return all.includes(parent) && readlinkSync(`/proc/${pid}/fd/0`).startsWith('socket:')
    } catch {
      return false
    }
  })
}

async function until(check: () => boolean): Promise<void> {
  for (let round = 0; round < 2000 && !check(); round++) await later(10)
  expect(check()).toBe(true)
}

/** What an end says to these requests on one connection, until it closes it. */
function said(root: string, end: 'read' | 'write', requests: readonly { id: string; more?: string }[]): Promise<string> {
  const folder = readdirSync(root).find((name) => name.startsWith('.run-hg-'))
  const socket = connect(`${root}/${folder}/${readdirSync(`${root}/${folder}`).find((name) => new RegExp(`^${end}-\\d+$`).test(name))}`)
  let text = ''
  const asked = ({ id, more = '' }: { id: string; more?: string }) =>
    `GET /?cmd=heads HTTP/1.1\r\nhost: localhost\r\naccept: application/mercurial-0.1\r\nx-capstan-repository: ${id}\r\n${more}\r\n`
  return new Promise((resolve) => {
    let next = 1
    socket.write(asked(requests[0] ?? { id: '' }))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const request = requests[next]
      // An answer ends with the line of its only head.
      if (request && text.split(/^[0-9a-f]{40}\n/m).length > next) {
        next += 1
        socket.write(asked(request))
      }
    })
    // It may close before one more request is written.
    socket.on('error', () => {}).once('close', () => resolve(text))
  })
}

describe.skipIf(!hasHg())('a child of the end that cannot write', () => {
  test('answers one more request of its repository, sees what was changed meanwhile, and is gone soon', async () => {
    const { hg, root } = await openHgLab()
    const [id, other] = [randomUUID(), randomUUID()]
    for (const one of [id, other]) await hg.create(one)
    let node = await commit(hg, id, null)
    const elsewhere = await commit(hg, other, null)
    let again = false
    // It waits for a short time only, so that on a busy machine it may have gone.
    for (let round = 0; round < 20 && !again; round++) {
      expect(await heads(hg, id)).toBe(node)
      const before = taken(root)
      node = await commit(hg, id, node)
      expect(await heads(hg, id)).toBe(node)
      again = before.length === 1 && taken(root).join() === before.join()
    }
    expect(again).toBe(true)
    expect(await heads(hg, other)).toBe(elsewhere)
    await until(() => taken(root).length === 0)
    expect(await heads(hg, id)).toBe(node)
  })

  test('serves no other repository, and nothing more after a request that is not a plain read', async () => {
    const { hg, root } = await openHgLab()
    const [id, other] = [randomUUID(), randomUUID()]
    const nodes: string[] = []
    for (const one of [id, other]) {
      await hg.create(one)
      nodes.push(await commit(hg, one, null))
    }
    for (const end of ['read', 'write'] as const) await heads(hg, id, end)
    const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    const crossing = await said(root, 'read', [{ id }, { id }, { id: other }, { id }])
    expect(statuses(crossing)).toEqual(['200', '200', '400'])
    expect(crossing).not.toContain(nodes[1])
    expect(statuses(await said(root, 'read', [{ id, more: 'content-length: 0\r\n' }, { id }]))).toEqual(['200'])
    expect(statuses(await said(root, 'write', [{ id }, { id }]))).toEqual(['200'])
  })

  test('may die while it waits: the next request is answered by another', async () => {
    const { hg, root } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const node = await commit(hg, id, null)
    for (let round = 0; round < 3; round++) {
      expect(await heads(hg, id)).toBe(node)
      const waiting = taken(root)
      for (const pid of waiting) process.kill(pid, 'SIGSTOP')
      const asked = heads(hg, id)
      // Long enough for the request to be on its way; were it not, the answer would be the same.
      await later(50)
      for (const pid of waiting) process.kill(pid, 'SIGKILL')
      expect(await asked).toBe(node)
    }
  })
})

test('of the ways to many repositories few are kept, and each for its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-lingering-'))
  const socketPath = join(folder, 'end')
  const server = createServer((_, answer) => answer.end('x'))
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const agent = new Lingering()
  const ask = (host: string) =>
    new Promise<boolean>((resolve, reject) => {
      const asked = request({ socketPath, host, agent }, (answer) => answer.resume().once('close', () => resolve(asked.reusedSocket)))
      asked.once('error', reject).end()
    })
  try {
    await Promise.all(Array.from({ length: 9 }, (_, at) => ask(`r${at}`)))
    const kept = Object.keys(agent.freeSockets).map((name) => name.split(':')[0] ?? '')
    expect(kept.length).toBe(4)
    expect([await ask('another'), await ask(kept[0] ?? '')]).toEqual([false, true])
  } finally {
    agent.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  }
})
