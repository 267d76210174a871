/** What the server tells its spawner: to start a supervisor, to give it its work's folder, to let it go. */
type Order =
  | { readonly what: 'begin'; readonly token: string }
  | { readonly what: 'give'; readonly token: string; readonly folder: string; readonly message?: string }
  | { readonly what: 'release'; readonly token: string }

/** What the spawner says: that it runs, that work is about to begin, that it will not, that a supervisor has ended. */
type Said = { readonly what: 'up' | 'ready' | 'not-ready' | 'ended'; readonly token: string }

/** An order or a word as one line. */
function textOf(one: Order | Said): string {
  return `${JSON.stringify(one)}\n`
}

/** The order of a line that `textOf` made. */
function orderOf(line: string): Order {
  return JSON.parse(line) as Order // of our own making
}

/** The word of a line that `textOf` made. */
function saidOf(line: string): Said {
  return JSON.parse(line) as Said // of our own making
}

export type { Order, Said }
export { textOf, orderOf, saidOf }
