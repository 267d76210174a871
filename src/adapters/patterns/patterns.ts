import { Worker } from 'node:worker_threads'
import { ownProgram } from '../../core/kernel/own-file.ts'
import { PatternRefused } from '../../ports/patterns.ts'
import type { PatternMatch, PatternOptions, Patterns } from '../../ports/patterns.ts'
import type { PatternOrder, PatternReply, PatternResult } from './pattern-work.ts'

type Waiting = { readonly order: PatternOrder; readonly resolve: (result: PatternResult) => void; readonly reject: (error: Error) => void }

type Limits = { readonly timeMs: number; readonly queue: number }

const patternLimit = 4 * 1024
const textLimit = 1024 * 1024
const standardLimits: Limits = { timeMs: 1_000, queue: 10_000 }

/** Characters of a text that nearly every pattern is done with at once, and how long it may take before it waits with those that are not. */
const smallText = 64 * 1024
const smallTimeMs = 100

class Overdue extends PatternRefused {}

/** Patterns in two threads: what takes long there takes it from its like, so that nobody's rule waits behind those that somebody made to take long. */
class WorkerPatterns implements Patterns {
  readonly #small: Lane
  readonly #large: Lane

  constructor(limits: Partial<Limits> = {}) {
    const whole = { ...standardLimits, ...limits }
    this.#small = new Lane({ ...whole, timeMs: Math.min(whole.timeMs, smallTimeMs) })
    this.#large = new Lane(whole)
  }

  async check(pattern: string): Promise<string | null> {
    try {
      await this.#order({ do: 'check', pattern }, '')
      return null
    } catch (error) {
      if (error instanceof PatternRefused) return error.message
      throw error
    }
  }

  async test(pattern: string, text: string, options: PatternOptions): Promise<boolean> {
    return (await this.#order({ do: 'test', pattern, text, ignoreCase: options.ignoreCase }, text)).found
  }

  async capture(pattern: string, text: string, options: PatternOptions & { all: boolean }): Promise<ReadonlyMap<string, readonly string[]> | null> {
    const { found, groups } = await this.#order({ do: 'capture', pattern, text, ignoreCase: options.ignoreCase, all: options.all }, text)
    return found ? new Map(groups.filter(([, values]) => values.length > 0)) : null
  }

  async matches(pattern: string, text: string, options: PatternOptions & { most: number }): Promise<readonly PatternMatch[]> {
    const most = Math.min(options.most, 100_000)
    return (await this.#order({ do: 'matches', pattern, text, ignoreCase: options.ignoreCase, most }, text)).matches ?? []
  }

  async close(): Promise<void> {
    await Promise.all([this.#small.close(), this.#large.close()])
  }

  async #order(order: PatternOrder, text: string): Promise<PatternResult> {
    if (text.length > smallText) return this.#large.order(order)
    try {
      return await this.#small.order(order)
    } catch (error) {
      if (!(error instanceof Overdue)) throw error
      return this.#large.order(order)
    }
  }
}

/**
 * One thread, one order at a time: what takes longer than a second ends with its thread, and the next order gets a new one. The thread is started when the first
 * pattern comes and keeps nothing alive.
 */
class Lane {
  readonly #limits: Limits
  readonly #queue: Waiting[] = []
  #worker: Worker | null = null
  #ready = false
  #current: { readonly id: number; readonly waiting: Waiting; readonly timer: NodeJS.Timeout } | null = null
  #lastId = 0
  #closed = false

  constructor(limits: Limits) {
    this.#limits = limits
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiting of this.#queue.splice(0)) waiting.reject(new PatternRefused('the server stops'))
    this.#settle()?.reject(new PatternRefused('the server stops'))
    await this.#worker?.terminate()
    this.#worker = null
  }

  order(order: PatternOrder): Promise<PatternResult> {
    const refusal = this.#refusal(order)
    if (refusal) return Promise.reject(new PatternRefused(refusal))
    return new Promise((resolve, reject) => {
      this.#queue.push({ order, resolve, reject })
      this.#next()
    })
  }

  #refusal(order: PatternOrder): string | null {
    if (this.#closed) return 'the server stops'
    if (Buffer.byteLength(order.pattern) > patternLimit) return `a pattern has at most ${patternLimit} bytes`
    if (order.do !== 'check' && Buffer.byteLength(order.text) > textLimit) return `a pattern is looked for in at most ${textLimit} bytes of text`
    return this.#queue.length >= this.#limits.queue ? 'too many patterns wait to be matched' : null
  }

  #next(): void {
    if (this.#current) return
    if (this.#queue.length === 0) {
      this.#worker?.unref()
      return
    }
    const worker = (this.#worker ??= this.#start())
    worker.ref()
    // The time of its start counts for nobody.
    const waiting = this.#ready ? this.#queue.shift() : undefined
    if (!waiting) return
    const id = ++this.#lastId
    this.#current = { id, waiting, timer: setTimeout(() => this.#overdue(), this.#limits.timeMs) }
    worker.postMessage({ id, order: waiting.order })
  }

  #start(): Worker {
    const worker = new Worker(ownProgram('adapters/patterns/patterns-worker'), { env: {}, resourceLimits: { maxOldGenerationSizeMb: 128 } })
    this.#ready = false
    worker.on('message', (reply: PatternReply | 'ready') => {
      if (worker !== this.#worker) return
      if (reply === 'ready') this.#ready = true
      else this.#replied(reply)
      this.#next()
    })
    worker.on('error', (error) => {
      const why = error instanceof Error ? error.message : 'its thread has ended'
      this.#ended(worker, new PatternRefused(`the pattern cannot be used: ${why}`))
    })
    return worker
  }

  #replied(reply: PatternReply): void {
    if (reply.id !== this.#current?.id) return
    const waiting = this.#settle()
    if ('result' in reply) waiting?.resolve(reply.result)
    else waiting?.reject(new PatternRefused(`the pattern cannot be used: ${reply.refused}`))
  }

  #overdue(): void {
    const worker = this.#worker
    if (worker) this.#ended(worker, new Overdue(`the pattern cannot be used: it takes longer than ${this.#limits.timeMs} ms on this text`))
    void worker?.terminate()
  }

  #ended(worker: Worker, why: PatternRefused): void {
    if (worker !== this.#worker) return
    this.#worker = null
    // A thread that does not even start would be tried for ever: whoever waits longest pays for it.
    const waiting = this.#settle() ?? this.#queue.shift()
    waiting?.reject(why)
    this.#next()
  }

  /** The order that is under way is no more. */
  #settle(): Waiting | null {
    const current = this.#current
    this.#current = null
    clearTimeout(current?.timer)
    return current?.waiting ?? null
  }
}

export { WorkerPatterns }
