import type { Json } from '../../kernel/json.ts'

/** Where templates and rules read values from. Only own data members of JSON are ever reached; nothing in it is code. */
type Scope = {
  /** The value of a root (`$job`, a step's name or node id, `$workflow`), or undefined when there is none. Asked at most once a root and evaluation. */
  root(name: string): Json | undefined
  /** The names of what each round of a loop has in `$outputs`; null for everything that is no loop. */
  inside?(loop: string): ReadonlySet<string> | null
}

/** What one evaluation may use up. A language that would go beyond throws `LanguageError`; nothing is partly done. */
type Budget = {
  readonly characters: number
  readonly rounds: number
  readonly nesting: number
  readonly steps: number
  /** Tags of all templates that are read together. */
  readonly tags: number
}

/** The guards of contract §11.3, and two of ours: what is read and compared takes time that nobody else has. */
const standardBudget: Budget = { characters: 10 * 1024 * 1024, rounds: 100_000, nesting: 32, steps: 5_000_000, tags: 100_000 }

/** A text that does not parse or cannot be evaluated. `position` counts characters from 0; null where the text as a whole is meant. */
class LanguageError extends Error {
  override readonly name = 'LanguageError'
  readonly position: number | null

  constructor(message: string, position: number | null = null) {
    super(message)
    this.position = position
  }
}

export type { Scope, Budget }
export { standardBudget, LanguageError }
