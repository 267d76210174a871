const idBytes = 20

/** Commits in their order, packed: 20 bytes of id, 8 of date and at most 16 of index each. */
type Order = {
  readonly count: number
  /** The commit of a number; null when there is none. */
  commitAt(number: number): string | null
  /** The number of a commit; null when it is not among them. */
  numberOf(commit: string): number | null
  /** The date of a commit by its number, in milliseconds. */
  dateOf(number: number): number
  /** The latest date of all; -Infinity of none. */
  readonly newest: number
  /** About what it takes. */
  readonly bytes: number
  /** The same with these behind. */
  with(more: Packed): Order
}

/** Ids and dates of commits as they come, in little memory. */
class Packed {
  #ids: Buffer<ArrayBufferLike> = Buffer.alloc(1024 * idBytes)
  #dates = new Float64Array(1024)
  count = 0
  oldest = Number.POSITIVE_INFINITY

  add(commit: string, date: number): void {
    if (this.count === this.#dates.length) this.#grow()
    this.#ids.write(commit, this.count * idBytes, 'hex')
    this.#dates[this.count] = date
    this.count += 1
    this.oldest = Math.min(this.oldest, date)
  }

  get ids(): Buffer {
    return this.#ids.subarray(0, this.count * idBytes)
  }

  get dates(): Float64Array {
    return this.#dates.subarray(0, this.count)
  }

  #grow(): void {
    const ids = Buffer.alloc(this.#ids.length * 2)
    this.#ids.copy(ids)
    this.#ids = ids
    const dates = new Float64Array(this.#dates.length * 2)
    dates.set(this.#dates)
    this.#dates = dates
  }
}

/** The order of these. */
function orderOf({ ids, dates }: Pick<Packed, 'ids' | 'dates'>): Order {
  const count = dates.length
  // Open addressing over the beginnings of ids, which are as good as random: a commit is found in one or two looks.
  const size = 2 ** Math.ceil(Math.log2(Math.max(count * 2, 2)))
  const slots = new Int32Array(size).fill(-1)
  const slotOf = (id: Buffer, at: number) => id.readUInt32BE(at) & (size - 1)
  for (let number = 0; number < count; number++) {
    let slot = slotOf(ids, number * idBytes)
    while (slots[slot] !== -1) slot = (slot + 1) & (size - 1)
    slots[slot] = number
  }
  let newest = Number.NEGATIVE_INFINITY
  for (const date of dates) if (date > newest) newest = date

  return {
    count,
    newest,
    bytes: count * (idBytes + 8) + size * 4,
    commitAt: (number) =>
      Number.isInteger(number) && number >= 0 && number < count ? ids.toString('hex', number * idBytes, (number + 1) * idBytes) : null,
    dateOf: (number) => dates[number] ?? 0,
    numberOf(commit) {
      const id = Buffer.from(commit, 'hex')
      if (id.length !== idBytes) return null
      for (let slot = slotOf(id, 0); ; slot = (slot + 1) & (size - 1)) {
        const number = slots[slot] ?? -1
        if (number < 0) return null
        if (id.compare(ids, number * idBytes, (number + 1) * idBytes) === 0) return number
      }
    },
    with(more) {
      const allDates = new Float64Array(count + more.count)
      allDates.set(dates)
      allDates.set(more.dates, count)
      return orderOf({ ids: Buffer.concat([ids, more.ids]), dates: allDates })
    },
  }
}

export type { Order }
export { Packed, orderOf }
