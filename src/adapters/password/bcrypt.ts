import { Worker } from 'node:worker_threads'
import { ownProgram } from '../../core/kernel/own-file.ts'
import type { BcryptOrder, BcryptReply } from './bcrypt-worker.ts'

const form = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
// Each step doubles the work; 14 is about a second.
const costs = { least: 4, most: 14 }

type Bcrypt = {
  /** Whether this is the password of a hash of ours to verify (see `bcryptCost`). */
  verify(password: string, hash: string): Promise<boolean>
}

/** What making such a hash costs, as the power of two that it says; null for what is none, or asks for too much. */
function bcryptCost(hash: string): number | null {
  const cost = Number(form.exec(hash)?.[1] ?? 0)
  return cost >= costs.least && cost <= costs.most ? cost : null
}

/** Verifies hashes that an import brought. They are computed in JavaScript, so in a thread of their own, which starts with the first one. */
function createBcrypt(): Bcrypt {
  const waiting = new Map<number, { resolve(fits: boolean): void; reject(error: Error): void }>()
  let worker: Worker | null = null
  let lastId = 0
  const start = (): Worker => {
    const started = new Worker(ownProgram('adapters/password/bcrypt-worker'), { env: {}, resourceLimits: { maxOldGenerationSizeMb: 64 } })
    const ended = (error: Error) => {
      if (worker === started) worker = null
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    }
    started.on('message', ({ id, fits }: BcryptReply) => {
      waiting.get(id)?.resolve(fits)
      waiting.delete(id)
      if (waiting.size === 0) started.unref()
    })
    started.on('error', (error) => ended(error instanceof Error ? error : new Error(String(error))))
    started.on('exit', () => ended(new Error('The thread that verifies passwords has ended')))
    return started
  }
  return {
    verify(password, hash) {
      return new Promise((resolve, reject) => {
        const id = ++lastId
        waiting.set(id, { resolve, reject })
        worker ??= start()
        worker.ref()
        worker.postMessage({ id, password, hash } satisfies BcryptOrder)
      })
    },
  }
}

export type { Bcrypt }
export { bcryptCost, createBcrypt }
