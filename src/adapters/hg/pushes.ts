import { randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { CodePushRefused } from '../../ports/code-storage.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { HgHost } from './environment.ts'

/**
 * Where hg asks, in the middle of a change, whether it may commit it: the hook `pretxnclose` of ours connects here, says under which token it runs and what
 * would change, and waits. No token, no change.
 */
type Pushes = {
  readonly socket: string
  /** A token for one change. `ask` may refuse by throwing; what it refuses is rolled back. */
  open(ask: (changes: readonly RefUpdate[]) => Promise<void>): PushToken
  close(): Promise<void>
}

type PushToken = {
  readonly token: string
  /** What was asked for and allowed; null until then. */
  readonly allowed: () => readonly RefUpdate[] | null
  /** Why it was refused, when it was. */
  readonly refusal: () => unknown
  /** From now on nothing is allowed any more under this token. */
  close(): void
}

type Question = { readonly push: string; readonly changes: readonly RefUpdate[] }

const longestQuestion = 64 * 1024 * 1024

async function openPushes(host: Pick<HgHost, 'scratch' | 'log'>): Promise<Pushes> {
  const open = new Map<string, (changes: readonly RefUpdate[]) => Promise<string>>()
  const sockets = new Set<Socket>()
  const path = `${host.scratch}/hook`

  async function answer(socket: Socket): Promise<void> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > longestQuestion) return
      chunks.push(chunk)
      if (chunk.at(-1) !== 10) continue
      const question = questionOf(Buffer.concat(chunks).toString('utf8'))
      const reply = question ? await open.get(question.push)?.(question.changes) : undefined
      socket.end(`${reply ?? 'nobody waits for this change'}\n`)
      return
    }
  }

  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    answer(socket)
      .catch((error: unknown) => host.log.warn('hg.hook_failed', { error: String(error) }))
      .finally(() => socket.destroySoon())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve)
  })
  await chmod(path, 0o600)
  server.unref()

  return {
    socket: path,
    open(ask) {
      const token = randomBytes(18).toString('hex')
      let allowed: readonly RefUpdate[] | null = null
      let refusal: unknown = null
      open.set(token, async (changes) => {
        // One change for one token: a second transaction of the same request would be recorded by nobody.
        if (allowed) return 'one change at a time'
        try {
          await ask(changes)
          if (!open.has(token)) return 'its client has gone'
          allowed = changes
          return 'ok'
        } catch (error) {
          refusal = error
          return error instanceof CodePushRefused ? error.message.replace(/[\r\n]+/g, ' ') : 'it could not be recorded'
        }
      })
      return { token, allowed: () => allowed, refusal: () => refusal, close: () => void open.delete(token) }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function questionOf(line: string): Question | null {
  try {
    const value: unknown = JSON.parse(line)
    // Written by our own extension, over a socket that nobody else can open.
    return typeof value === 'object' && value !== null && 'push' in value && 'changes' in value ? (value as Question) : null
  } catch {
    return null
  }
}

export type { Pushes, PushToken }
export { openPushes }
