/** How much a grant allows. Each level holds all before it. */
export const levels = ['none', 'read', 'execute', 'write', 'admin'] as const
export type Level = (typeof levels)[number]

export function rank(level: Level): number {
  return levels.indexOf(level)
}

export function levelOf(rankNumber: number): Level {
  return levels[rankNumber] ?? 'none'
}

export function atLeast(have: Level, need: Level): boolean {
  return rank(have) >= rank(need)
}

export function highest(list: readonly Level[]): Level {
  return levelOf(Math.max(0, ...list.map(rank)))
}
