import type { ChangeEvent } from '../operation/context.ts'

export type NumberedEvent = ChangeEvent & { readonly sequence: number }

const kept = 10_000

/**
 * Hands changes to whoever follows them, in this process and (through `forward`) in other servers of the same store. The last ten thousand are kept, so
 * that a follower that was away for a moment can go on where it was; one that was away longer is told to read everything anew.
 */
export class EventHub {
  /** Tells the numbering of this process from that of an earlier one. */
  readonly epoch: string
  readonly #listeners = new Set<(event: NumberedEvent) => void>()
  readonly #recent: NumberedEvent[] = []
  #sequence = 0
  #forward: (event: ChangeEvent) => void = () => {}

  constructor(epoch: string) {
    this.epoch = epoch
  }

  /** What other servers shall hear too is given to `forward`. */
  forwardTo(forward: (event: ChangeEvent) => void): void {
    this.#forward = forward
  }

  publish(event: ChangeEvent): void {
    this.receive(event)
    this.#forward(event)
  }

  /** Takes an event that another server published. */
  receive(event: ChangeEvent): void {
    const numbered = { ...event, sequence: ++this.#sequence }
    this.#recent.push(numbered)
    if (this.#recent.length > kept * 1.2) this.#recent.splice(0, this.#recent.length - kept)
    for (const listener of this.#listeners) listener(numbered)
  }

  subscribe(listener: (event: NumberedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The events after `sequence` of this epoch, or null when they are not all kept any more. */
  since(epoch: string, sequence: number): NumberedEvent[] | null {
    if (epoch !== this.epoch || sequence > this.#sequence) return null
    const oldest = this.#recent[0]?.sequence ?? this.#sequence + 1
    if (sequence + 1 < oldest) return null
    return this.#recent.filter((event) => event.sequence > sequence)
  }
}
