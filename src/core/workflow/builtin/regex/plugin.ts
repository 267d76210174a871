import { PatternRefused } from '../../../../ports/patterns.ts'
import { flagMember, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { numberInput } from '../input.ts'
import { TextBuilder } from '../size.ts'
import { regexSpec } from './spec.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { PatternMatch } from '../../../../ports/patterns.ts'
import type { BuiltinAction, BuiltinContext } from '../builtin.ts'

const mostMatches = 100_000

/** Regular expressions, matched in linear time and away from the main thread. */
const regexPlugin = builtinPlugin('regex', regexSpec, {
  match: matching((text, _, found) => {
    const matches = found.map(({ start, end, groups, named }) => ({
      match: text.slice(start, end),
      start,
      groups: groups.map((group) => group ?? ''),
      named: Object.fromEntries(named),
    }))
    return { found: matches.length > 0, matches, count: matches.length }
  }),
  replace: matching((text, input, found) => {
    const by = replacementOf(textMember(input, 'replace_with'))
    const made = new TextBuilder()
    let from = 0
    for (const match of found) {
      made.add(text.slice(from, match.start))
      for (const part of by) made.add(part(text, match))
      from = match.end
    }
    return { text: made.add(text.slice(from)).toString(), count: found.length }
  }),
  split: matching((text, input, found) => {
    const items: string[] = []
    let from = 0
    for (const { start, end } of found) {
      // Nothing found between two characters splits them; at the very ends there is nothing to split.
      if (start === end && (start === 0 || start === text.length)) continue
      items.push(text.slice(from, start))
      from = end
    }
    items.push(text.slice(from))
    const kept = flagMember(input, 'skip_empty') ? items.filter((item) => item !== '') : items
    return { items: kept, count: kept.length }
  }),
})

function matching(use: (text: string, input: JsonObject, found: readonly PatternMatch[]) => JsonObject): BuiltinAction {
  return {
    repeatable: true,
    async run(context, input) {
      const text = textMember(input, 'text')
      return use(text, input, await matchesOf(context, input, text))
    },
  }
}

async function matchesOf({ services }: BuiltinContext, input: JsonObject, text: string): Promise<readonly PatternMatch[]> {
  const limit = numberInput(input, 'limit')
  const options = { ignoreCase: flagMember(input, 'ignore_case'), most: limit > 0 ? Math.min(limit, mostMatches) : mostMatches }
  try {
    return await services.patterns.matches(textMember(input, 'pattern'), text, options)
  } catch (error) {
    if (error instanceof PatternRefused) throw new ActionFailed(`The pattern was refused: ${error.message}`)
    throw error
  }
}

type Part = (text: string, match: PatternMatch) => string

/** A replacement in its parts. A group that the pattern does not have is a mistake; one that took no part is empty. */
function replacementOf(template: string): Part[] {
  const parts: Part[] = []
  let from = 0
  for (const found of template.matchAll(/\$(?:\$|(\d{1,2})|\{([A-Za-z0-9_]{1,100})\})/g)) {
    const before = template.slice(from, found.index)
    if (before !== '') parts.push(() => before)
    const name = found[1] ?? found[2]
    parts.push(name === undefined ? () => '$' : (text, match) => groupOf(text, match, name))
    from = found.index + found[0].length
  }
  const rest = template.slice(from)
  return rest === '' ? parts : [...parts, () => rest]
}

function groupOf(text: string, { start, end, groups, named }: PatternMatch, name: string): string {
  if (!/^\d+$/.test(name)) return named.find(([one]) => one === name)?.[1] ?? ''
  const index = Number(name)
  if (index > groups.length) throw new ActionFailed(`The pattern has no group ${index}`)
  return index === 0 ? text.slice(start, end) : (groups[index - 1] ?? '')
}

export { regexPlugin }
