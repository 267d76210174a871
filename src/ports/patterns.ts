/**
 * Regular expressions of users: RE2 syntax, matched in linear time, away from the main thread and with a hard limit of time. A pattern has at most 4 KiB,
 * a text at most 1 MiB.
 */
type Patterns = {
  /** Why this pattern cannot be used, or null. */
  check(pattern: string): Promise<string | null>
  /** Whether the pattern is found anywhere in the text. Throws `PatternRefused`. */
  test(pattern: string, text: string, options: PatternOptions): Promise<boolean>
  /**
   * The named groups of the first match, or of every match with `all`; null when it is not found. A group that took no part is left out.
   * Throws `PatternRefused`.
   */
  capture(pattern: string, text: string, options: PatternOptions & { readonly all: boolean }): Promise<ReadonlyMap<string, readonly string[]> | null>
  /** The first `most` matches in their order; they do not overlap. Throws `PatternRefused`. */
  matches(pattern: string, text: string, options: PatternOptions & { readonly most: number }): Promise<readonly PatternMatch[]>
  close(): Promise<void>
}

/** Where a pattern was found, in UTF-16 units, and what its groups hold: null for one that took no part. */
type PatternMatch = {
  readonly start: number
  readonly end: number
  readonly groups: readonly (string | null)[]
  readonly named: readonly (readonly [string, string])[]
}

type PatternOptions = { readonly ignoreCase: boolean }

/** The pattern does not parse, is too long, or took too long on this text. The message may be shown to whoever wrote it. */
class PatternRefused extends Error {
  override readonly name = 'PatternRefused'
}

export type { Patterns, PatternMatch, PatternOptions }
export { PatternRefused }
