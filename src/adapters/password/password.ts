import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { fault } from '../../core/kernel/fault.ts'
import { bcryptCost, createBcrypt } from './bcrypt.ts'
import type { PasswordHasher } from '../../ports/password.ts'

type Cost = { readonly memory: number; readonly passes: number; readonly parallelism: number }

const standardCost: Cost = { memory: 19456, passes: 2, parallelism: 1 }
const tagLength = 32
const atOnce = 2
const mostWaiting = 200

/**
 * argon2id (m=19456 KiB, t=2, p=1), kept as PHC strings. bcrypt is verified as well, for what an import brought. Beyond two hundred that wait, more are
 * refused with `overloaded`.
 */
function createPasswordHasher(): PasswordHasher {
  const inTurn = limiter()
  // Stands for users that do not exist: nobody knows a password with this tag, but finding that out costs the same.
  const nobody: Parsed = { cost: standardCost, salt: randomBytes(16), tag: randomBytes(tagLength) }
  const bcrypt = createBcrypt()
  // While some hashes are of bcrypt, everybody pays for both kinds: else the time of a refusal would tell who has not signed in since the import.
  let outdatedCost: number | null = null
  return {
    async hash(password) {
      const salt = randomBytes(16)
      const tag = await inTurn(() => derive(password, salt, standardCost, tagLength))
      return `$argon2id$v=19$m=${standardCost.memory},t=${standardCost.passes},p=${standardCost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`
    },
    async verify(password, hash) {
      const cost = hash === null ? null : bcryptCost(hash)
      if (cost !== null) outdatedCost = Math.max(outdatedCost ?? 0, cost)
      const known = hash === null || cost !== null ? nobody : parse(hash)
      if (!known) return false
      return inTurn(async () => {
        const tag = await derive(password, known.salt, known.cost, known.tag.length)
        const fits = timingSafeEqual(tag, known.tag) && known !== nobody
        if (outdatedCost === null) return fits
        // bcrypt ends at a NUL: a password with one would be another, shorter one.
        const fitsOutdated = await bcrypt.verify(
          password.includes('\0') ? '' : password,
          cost !== null && hash !== null ? hash : noHash(outdatedCost),
        )
        return cost === null ? fits : fitsOutdated && !password.includes('\0')
      })
    },
    outdated: (hash) => bcryptCost(hash) !== null,
    expectOutdated() {
      outdatedCost ??= usualCost
    },
  }
}

const usualCost = 10

// Well formed, and of no password that anybody knows.
function noHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'abcdefghijklmnopqrstuu'}${'.'.repeat(31)}`
}

type Parsed = { readonly cost: Cost; readonly salt: Buffer; readonly tag: Buffer }

const phc = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

function parse(hash: string): Parsed | null {
  const match = phc.exec(hash)
  if (!match) return null
  const [memory = 0, passes = 0, parallelism = 0] = match.slice(1, 4).map(Number)
  // A hash from an import must not be able to take the machine's memory or minutes of its time.
  if (memory < 8 * parallelism || memory > 262_144 || passes < 1 || passes > 12 || parallelism < 1 || parallelism > 8) return null
  return { cost: { memory, passes, parallelism }, salt: Buffer.from(match[4] ?? '', 'base64'), tag: Buffer.from(match[5] ?? '', 'base64') }
}

function derive(password: string, salt: Buffer, { memory, passes, parallelism }: Cost, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parameters = { message: Buffer.from(password), nonce: salt, memory, passes, parallelism, tagLength: length }
    argon2('argon2id', parameters, (error, tag) => (error ? reject(error) : resolve(tag)))
  })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

// Each hash takes 19 MiB and a thread of the pool that files and names are read with too: two at once leave room for those.
function limiter(): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= atOnce) {
      if (waiting.length >= mostWaiting) throw fault('overloaded', { what: 'sign-ins', seconds: 2 }, { retryAfterMs: 2000 })
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      // The place is handed on, not freed and taken again: nobody can slip in between.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

export { createPasswordHasher }
