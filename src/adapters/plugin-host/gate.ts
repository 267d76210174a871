/** So many at once; the others wait their turn, oldest first. */
class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /** Resolves when there is a place; rejects with the signal's reason, and then none is taken. Who has one calls `leave`. */
  enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve()
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const turn = () => {
      signal.removeEventListener('abort', give)
      resolve()
    }
    const give = () => {
      this.#waiting.splice(this.#waiting.indexOf(turn), 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', give, { once: true })
    this.#waiting.push(turn)
    return promise
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free += 1
  }
}

export { Gate }
