import { RE2JS } from 're2js'
import type { PatternMatch } from '../../ports/patterns.ts'

/** What the thread is asked, and what it answers. */
type PatternOrder =
  | { readonly do: 'check'; readonly pattern: string }
  | { readonly do: 'test'; readonly pattern: string; readonly text: string; readonly ignoreCase: boolean }
  | { readonly do: 'capture'; readonly pattern: string; readonly text: string; readonly ignoreCase: boolean; readonly all: boolean }
  | { readonly do: 'matches'; readonly pattern: string; readonly text: string; readonly ignoreCase: boolean; readonly most: number }

type PatternResult = {
  readonly found: boolean
  readonly groups: readonly (readonly [string, readonly string[]])[]
  readonly matches?: readonly PatternMatch[]
}
type PatternReply = { readonly id: number } & ({ readonly result: PatternResult } | { readonly refused: string })

/** Matches of `all` that are kept. */
const matchLimit = 100_000
const compiled = new Map<string, RE2JS>()

/** Carries out one order. Throws what the pattern's compiler throws. */
function matchPattern(order: PatternOrder): PatternResult {
  const ignoreCase = order.do !== 'check' && order.ignoreCase
  const pattern = compile(order.pattern, ignoreCase)
  if (order.do === 'check') return { found: true, groups: [] }
  const matcher = pattern.matcher(order.text)
  if (order.do === 'test') return { found: matcher.find(), groups: [] }
  const names = Object.keys(pattern.namedGroups())
  if (order.do === 'matches') {
    const matches: PatternMatch[] = []
    while (matches.length < order.most && matcher.find()) matches.push(matchOf(matcher, names))
    return { found: matches.length > 0, groups: [], matches }
  }
  const groups = new Map<string, string[]>(names.map((name) => [name, []]))
  let count = 0
  while (matcher.find()) {
    if (++count > matchLimit) throw new Error(`it is found more than ${matchLimit} times`)
    for (const name of names) {
      const value = matcher.group(name)
      if (value !== null) groups.get(name)?.push(value)
    }
    if (!order.all) break
  }
  return { found: count > 0, groups: [...groups] }
}

function matchOf(matcher: ReturnType<RE2JS['matcher']>, names: readonly string[]): PatternMatch {
  return {
    start: matcher.start(),
    end: matcher.end(),
    groups: Array.from({ length: matcher.groupCount() }, (_, index) => matcher.group(index + 1)),
    named: names.flatMap((name) => {
      const value = matcher.group(name)
      return value === null ? [] : [[name, value] as const]
    }),
  }
}

function compile(pattern: string, ignoreCase: boolean): RE2JS {
  const key = `${ignoreCase ? 'i' : '-'}${pattern}`
  const known = compiled.get(key)
  if (known) return known
  if (compiled.size >= 100) compiled.clear()
  const fresh = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
  compiled.set(key, fresh)
  return fresh
}

export type { PatternOrder, PatternResult, PatternReply }
export { matchPattern }
