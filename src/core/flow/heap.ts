/** Numbers that come out smallest first. */
export class Heap {
  readonly #items: number[] = []

  get size(): number {
    return this.#items.length
  }

  push(value: number): void {
    const items = this.#items
    let at = items.length
    items.push(value)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (this.#at(above) <= value) break
      items[at] = this.#at(above)
      at = above
    }
    items[at] = value
  }

  /** The smallest, or undefined when there is none. */
  pop(): number | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below >= items.length) break
      if (below + 1 < items.length && this.#at(below + 1) < this.#at(below)) below++
      if (this.#at(below) >= last) break
      items[at] = this.#at(below)
      at = below
    }
    items[at] = last
    return top
  }

  #at(index: number): number {
    return this.#items[index] as number // callers stay inside
  }
}
