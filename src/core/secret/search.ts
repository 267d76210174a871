/** Finds many patterns at once, in time that is linear in what is searched whatever the patterns are (Aho-Corasick). */
type Search = {
  /** The state after one more byte; 0 is the beginning. */
  step(state: number, byte: number): number
  /** How many of the last bytes could be the beginning of a pattern. */
  depth(state: number): number
  /** The length of the longest pattern that ends here; 0 for none. */
  found(state: number): number
}

/** The search for these patterns, or null when there are none. Memory: some 18 bytes per byte of pattern. */
function buildSearch(patterns: readonly Uint8Array[]): Search | null {
  const size = patterns.reduce((sum, pattern) => sum + pattern.length, 1)
  if (size === 1) return null
  const trie = makeTrie(patterns, size)
  const fail = new Int32Array(trie.count)
  const found = trie.ends

  const step = (from: number, byte: number): number => {
    for (let state = from; ; state = fail[state] as number) {
      const next = trie.child(state, byte)
      if (next > 0) return next
      if (state === 0) return 0
    }
  }

  // Level by level: a state falls back to a shorter one, which is finished by then.
  const queue = new Int32Array(trie.count)
  let length = 1
  for (let head = 0; head < length; head++) {
    const parent = queue[head] as number
    for (let state = trie.firstChild(parent); state > 0; state = trie.nextSibling(state)) {
      if (parent !== 0) fail[state] = step(fail[parent] as number, trie.byteOf(state))
      if (found[state] === 0) found[state] = found[fail[state] as number] as number
      queue[length++] = state
    }
  }
  return { step, depth: (state) => trie.depths[state] as number, found: (state) => found[state] as number }
}

type Trie = {
  readonly count: number
  readonly ends: Int32Array
  readonly depths: Int32Array
  child(state: number, byte: number): number
  firstChild(state: number): number
  nextSibling(state: number): number
  byteOf(state: number): number
}

// Children are linked lists in typed arrays: secrets are few children deep, and objects would cost ten times the memory. The root, where most bytes of
// a text are looked up, has a table.
function makeTrie(patterns: readonly Uint8Array[], size: number): Trie {
  const first = new Int32Array(size)
  const sibling = new Int32Array(size)
  const bytes = new Uint8Array(size)
  const ends = new Int32Array(size)
  const depths = new Int32Array(size)
  const root = new Int32Array(256)
  let count = 1
  const child = (state: number, byte: number): number => {
    if (state === 0) return root[byte] as number
    let next = first[state] as number
    while (next > 0 && bytes[next] !== byte) next = sibling[next] as number
    return next
  }
  for (const pattern of patterns) {
    let state = 0
    for (const byte of pattern) {
      let next = child(state, byte)
      if (next === 0) {
        next = count++
        bytes[next] = byte
        depths[next] = (depths[state] as number) + 1
        sibling[next] = first[state] as number
        first[state] = next
        if (state === 0) root[byte] = next
      }
      state = next
    }
    if (state > 0) ends[state] = pattern.length
  }
  return {
    count,
    ends,
    depths,
    child,
    firstChild: (state) => first[state] as number,
    nextSibling: (state) => sibling[state] as number,
    byteOf: (state) => bytes[state] as number,
  }
}

export type { Search }
export { buildSearch }
