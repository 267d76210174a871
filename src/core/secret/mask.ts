import { buildSearch } from './search.ts'
import { formsOf } from './forms.ts'
import type { Search } from './search.ts'

/**
 * Replaces secret values in a stream of bytes by `***`.
 *
 * A byte is covered when it belongs to an occurrence of any form of any value (see `forms.ts`); each longest row of covered bytes becomes one `***`.
 * So what comes out depends on the bytes and the values only, never on how the stream was cut into chunks. Held back is only what could still be the
 * beginning of an occurrence. Masking is hygiene against accidents, not a boundary against somebody who wants to get a value out.
 */
type Masker = {
  /** The masked bytes that are certain now. */
  push(chunk: Uint8Array): Uint8Array
  /** The rest, at the end of the stream. The masker can then be used for another stream. */
  flush(): Uint8Array
  /** A whole text masked, whatever stream is open. */
  text(text: string): string
}

const encoder = new TextEncoder()
const mark = encoder.encode('***')
/** Texts up to this length are looked through without anything made for them: a job may hold millions of short ones. */
const shortText = 2048
const scratch = new Uint8Array(3 * shortText)

/** A masker for these values. Values shorter than four bytes are not masked: they would hide half of any text. */
function createMasker(values: readonly string[]): Masker {
  const forms = values.flatMap(formsOf)
  const search = buildSearch(forms)
  const shortest = forms.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY)
  let stream = openStream(search)
  return {
    push: (chunk) => stream.push(chunk),
    flush() {
      const rest = stream.flush()
      stream = openStream(search)
      return rest
    },
    text(text) {
      // In UTF-8 a text has at most three bytes for each of its units.
      if (3 * text.length < shortest || (text.length <= shortText && !occursIn(search, text))) return text.toWellFormed()
      const whole = openStream(search)
      const first = whole.push(encoder.encode(text))
      return new TextDecoder().decode(joined(first, whole.flush()))
    },
  }
}

function occursIn(search: Search | null, text: string): boolean {
  if (!search) return false
  const { written } = encoder.encodeInto(text, scratch)
  for (let at = 0, state = 0; at < written; at++) {
    state = search.step(state, scratch[at] as number) // at < length
    if (search.found(state) > 0) return true
  }
  return false
}

type Span = { from: number; to: number }

function openStream(search: Search | null): Pick<Masker, 'push' | 'flush'> {
  if (!search) return { push: (chunk) => chunk, flush: () => new Uint8Array(0) }
  // Positions are counted from the beginning of `held`, which is what came in and has not gone out.
  let held = new Uint8Array(0)
  let state = 0
  let masking = false
  const covered: Span[] = []

  const release = (bytes: Uint8Array, until: number): Uint8Array => {
    const out = new Output(until)
    let at = 0
    while (at < until) {
      const span = covered[0]
      const plainTo = Math.min(span?.from ?? until, until)
      if (at < plainTo) {
        out.add(bytes.subarray(at, plainTo))
        masking = false
        at = plainTo
      }
      if (!span || at >= until) break
      if (!masking) out.add(mark)
      masking = true
      at = Math.min(span.to, until)
      if (span.to <= until) covered.shift()
      else break
    }
    held = bytes.slice(until)
    for (const span of covered) {
      span.from = Math.max(0, span.from - until)
      span.to -= until
    }
    return out.bytes()
  }

  return {
    push(chunk) {
      const bytes = joined(held, chunk)
      for (let at = held.length; at < bytes.length; at++) {
        state = search.step(state, bytes[at] as number) // at < length
        const length = search.found(state)
        if (length > 0) cover(covered, { from: at + 1 - length, to: at + 1 })
      }
      return release(bytes, bytes.length - search.depth(state))
    },
    flush: () => release(held, held.length),
  }
}

// Spans come in the order of their ends, so only the last ones can overlap a new one: each is taken off at most once.
function cover(covered: Span[], span: Span): void {
  let { from } = span
  for (let last = covered.at(-1); last && last.to >= span.from; last = covered.at(-1)) {
    from = Math.min(from, last.from)
    covered.pop()
  }
  covered.push({ from, to: span.to })
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (head.length === 0) return tail
  const bytes = new Uint8Array(head.length + tail.length)
  bytes.set(head)
  bytes.set(tail, head.length)
  return bytes
}

/** Collects pieces of bytes into one array that grows by doubling. */
class Output {
  #bytes: Uint8Array
  #length = 0

  constructor(expected: number) {
    this.#bytes = new Uint8Array(expected + mark.length)
  }

  add(piece: Uint8Array): void {
    if (this.#length + piece.length > this.#bytes.length) {
      const grown = new Uint8Array((this.#length + piece.length) * 2)
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.#length)
    this.#length += piece.length
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }
}

export type { Masker }
export { createMasker }
