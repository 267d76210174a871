import { createHmac, randomBytes } from 'node:crypto'
import { BoundedMap } from '../kernel/bounded-map.ts'
import { longestPassword } from './names.ts'
import type { Clock } from '../kernel/clock.ts'
import type { PasswordHasher } from '../../ports/password.ts'

export type ProofSubject = { readonly id: string; readonly password_hash: string | null; readonly active: boolean }

const keptMs = 60_000
const mostKept = 10_000

/**
 * Remembers for a minute that a password was proved, so that clients which log in before each call do not cost a hash each time.
 *
 * A proof is kept under an HMAC, with a key of this process, of user, stored hash and password: it cannot be read back, it is worth nothing elsewhere,
 * and after a change of the password it is never looked up again, because the stored hash is another. Only proofs are kept: a wrong password costs a
 * hash each time. Equal attempts that are under way at once share one hash.
 */
export class ProofCache {
  readonly #clock: Clock
  readonly #key = randomBytes(32)
  readonly #proved = new BoundedMap<number>(mostKept)
  readonly #underWay = new Map<string, Promise<boolean>>()

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock
  }

  /**
   * Whether this is the user's password. Without a user (or without a password of the user) it takes as long as with one, and is false. For an account that
   * is closed it always takes as long as a wrong password does: who is then refused must not learn by the time that it was the right one.
   * `beforeHash` is called when a hash has to be made, and may refuse it by throwing.
   */
  async verify(passwords: PasswordHasher, user: ProofSubject | null, password: string, beforeHash: () => void = () => {}): Promise<boolean> {
    const fits = Buffer.byteLength(password) <= longestPassword
    const hash = user && fits ? user.password_hash : null
    if (!user || hash === null) {
      beforeHash()
      return passwords.verify(fits ? password : '', null)
    }
    if (!user.active) {
      beforeHash()
      return passwords.verify(password, hash)
    }
    const key = this.#proofOf(user.id, hash, password)
    if ((this.#proved.get(key) ?? 0) > this.#clock.now()) return true
    const underWay = this.#underWay.get(key)
    if (underWay) return underWay
    beforeHash()
    const result = passwords.verify(password, hash)
    this.#underWay.set(key, result)
    try {
      const proved = await result
      if (proved) this.#proved.set(key, this.#clock.now() + keptMs)
      else this.#proved.delete(key)
      return proved
    } finally {
      this.#underWay.delete(key)
    }
  }

  #proofOf(id: string, hash: string, password: string): string {
    // Neither an id nor a PHC string holds a NUL, so no two triples give one text.
    return createHmac('sha256', this.#key).update(`${id}\0${hash}\0${password}`).digest('base64')
  }
}
