import type { Timer } from '../../core/kernel/clock.ts'
import { GitProtocolError, GitTimeout } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { startGit, unavailable } from './process.ts'
import type { GitExit, GitProcess } from './process.ts'

type ExchangeOptions = {
  readonly args: readonly string[]
  readonly directory: string
  readonly extra: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Ends the exchange when nothing moved in either direction for so long. */
  readonly stallMs: number
}

/**
 * One git process that talks to one client. It is over when git has ended by itself, the signal was aborted, `stop` was called, or nothing moved for too
 * long; `failure` then says why it did not end by itself.
 */
class Exchange {
  readonly #host: GitHost
  readonly #git: GitProcess
  readonly #options: ExchangeOptions
  #stall: Timer
  #moved: number
  #over = false
  failure: unknown = null

  constructor(host: GitHost, options: ExchangeOptions) {
    this.#host = host
    this.#options = options
    this.#git = startGit(host, options.args, { directory: options.directory, extra: options.extra })
    this.#moved = host.clock.now()
    this.#stall = this.#watch(options.stallMs)
    const aborted = () => void this.stop(options.signal.reason)
    options.signal.addEventListener('abort', aborted, { once: true })
    void this.#git.exited.then((exit) => {
      this.#over = true
      this.#stall.cancel()
      options.signal.removeEventListener('abort', aborted)
      if (exit.code !== 0 && this.failure === null)
        host.log.warn('git.exchange_failed', { args: options.args, code: exit.code, signal: exit.signal, stderr: exit.stderr })
    })
    if (options.signal.aborted) aborted()
  }

  get exited(): Promise<GitExit> {
    return this.#git.exited
  }

  get output(): AsyncIterator<Buffer> {
    return this.#git.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** Something moved: the client is there. */
  touch(): void {
    this.#moved = this.#host.clock.now()
  }

  stop(reason: unknown): Promise<GitExit> {
    if (!this.#over) this.failure ??= reason
    return this.#git.end()
  }

  /** Feeds the request to git, no faster than git reads. What git no longer wants is read and dropped, so that the client gets to hear the answer. */
  async feed(first: Uint8Array | null, body: AsyncIterator<Uint8Array> | null, options: { limit: number }): Promise<void> {
    let size = 0
    try {
      if (first !== null && first.length > 0) await this.#write(first)
      for (let next = await body?.next(); next && !next.done; next = await body?.next()) {
        this.touch()
        size += next.value.length
        if (size > options.limit) throw new GitProtocolError(`a request is longer than ${options.limit} bytes`)
        if (!this.#over) await this.#write(next.value)
        else if (this.failure !== null) return
      }
      this.#git.stdin.end()
    } catch (error) {
      // The client went away, or broke its promise: git must not take what came so far for the whole.
      await this.stop(error)
    }
  }

  /** The error of an exchange that ended without an answer. */
  error(exit: GitExit): unknown {
    if (this.failure !== null) return this.failure
    if (
      exit.code === 128 &&
      /^fatal: (protocol error|.*expected |unknown capability|unknown object format|the remote end hung up)/m.test(exit.stderr)
    )
      return new GitProtocolError(exit.stderr.slice(0, 200))
    return unavailable(this.#options.args[0] ?? 'git', exit)
  }

  // One timer that looks when the last move was: setting a new one for every chunk of a pack would cost more than passing it on.
  #watch(ms: number): Timer {
    return this.#host.clock.after(ms, () => {
      if (this.#over) return
      const left = this.#moved + this.#options.stallMs - this.#host.clock.now()
      if (left > 0) this.#stall = this.#watch(left)
      else void this.stop(new GitTimeout(`a git exchange did not move for ${this.#options.stallMs} ms`))
    })
  }

  #write(bytes: Uint8Array): Promise<void> {
    const { stdin } = this.#git
    if (stdin.destroyed || stdin.write(bytes)) return Promise.resolve()
    return new Promise((resolve) => {
      const go = () => {
        stdin.off('drain', go).off('close', go).off('error', go)
        resolve()
      }
      stdin.on('drain', go).on('close', go).on('error', go)
    })
  }
}

export type { ExchangeOptions }
export { Exchange }
