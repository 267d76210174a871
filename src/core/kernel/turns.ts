/** Lets pieces of work that would get in each other's way go one after the other, in the order in which they came; those of other names go on beside them. */
class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** What the work gives, when its turn has come and it is done. */
  take<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const mine = (this.#last.get(name) ?? Promise.resolve()).then(work)
    const over = mine.then(
      () => {},
      () => {},
    )
    this.#last.set(name, over)
    void over.then(() => {
      if (this.#last.get(name) === over) this.#last.delete(name)
    })
    return mine
  }

  /** Names for which somebody works or waits. */
  get size(): number {
    return this.#last.size
  }
}

export { Turns }
