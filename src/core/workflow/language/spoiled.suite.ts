import { pick, upTo } from '../../flow/random.suite.ts'
import type { Random } from '../../flow/random.suite.ts'

/** A text of a language with a few pieces of it left out, doubled, moved or replaced: nearly right is what readers stumble over. */
export function spoiled(text: string, random: Random): string {
  let bad = text
  for (let times = 1 + upTo(random, 3); times > 0; times--) {
    const at = upTo(random, bad.length + 1)
    const end = Math.min(at + 1 + upTo(random, 6), bad.length)
    const piece = bad.slice(at, end)
    const to = upTo(random, bad.length + 1)
    bad = pick(random, [
      bad.slice(0, at) + bad.slice(end),
      bad.slice(0, at) + piece + bad.slice(at),
      bad.slice(0, to) + piece + bad.slice(to),
      bad.slice(0, at) + pick(random, ['{{', '}}', '[', ']', '"', '/', '\\', '\u0000', '\ud800', '~', '.', '#', '(', 'é']) + bad.slice(end),
    ])
  }
  return bad
}
