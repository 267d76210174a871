import { GitTimeout, GitUnavailable } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { isOid } from './names.ts'
import { startGit, unavailable } from './process.ts'
import type { GitProcess } from './process.ts'

export type ObjectHeader = { readonly oid: string; readonly type: string; readonly size: number }

/** What is done with an object's bytes as they arrive: the next chunk is read when the promise has resolved. */
export type Sink = { write(chunk: Buffer): void | Promise<void> }

type Request = {
  readonly line: string
  /** For `contents`: where the bytes go, chosen by the header. Throwing ends the process. */
  readonly open: ((header: ObjectHeader) => Sink | Promise<Sink>) | null
  readonly resolve: (header: ObjectHeader | null) => void
  readonly reject: (error: unknown) => void
  readonly cancelTimer: () => void
}

/**
 * One `git cat-file --batch-command` of one repository. Requests are answered in the order they were made; any number may wait. Only full object ids
 * (and `^{commit}`, `^{tree}` behind one) are ever asked for, so no text of a user is read as a revision.
 *
 * Lives until `close`, until git dies, or until one request is over its time. All that still waits then fails: what it had read cannot be trusted to be in step.
 */
export class CatFile {
  readonly #host: GitHost
  readonly #git: GitProcess
  readonly #timeoutMs: number | null
  readonly #waiting: Request[] = []
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #pumping = false
  #failure: Error | null = null

  constructor(host: GitHost, directory: string, options: { timeoutMs: number | null }) {
    this.#host = host
    this.#timeoutMs = options.timeoutMs
    this.#git = startGit(host, [`--git-dir=${directory}`, 'cat-file', '--batch-command'], { directory })
    this.#chunks = this.#git.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    void this.#git.exited.then((exit) => this.#fail(unavailable('cat-file', exit)))
  }

  get alive(): boolean {
    return this.#failure === null
  }

  /** Header of the object that `oid` peels to; null when there is none. */
  info(oid: string, peel: '' | '^{commit}' | '^{tree}' = ''): Promise<ObjectHeader | null> {
    return this.#ask(`info ${checkedOid(oid)}${peel}\n`, null)
  }

  /** Hands the bytes of an object to the sink that `open` chooses by its header. Null when there is no such object. */
  contents(oid: string, open: (header: ObjectHeader) => Sink | Promise<Sink>): Promise<ObjectHeader | null> {
    return this.#ask(`contents ${checkedOid(oid)}\n`, open)
  }

  /** An object whole; null when there is none. One of another type, or larger than `limit`: `GitUnavailable`. */
  async whole(oid: string, options: { type: string; limit: number }): Promise<Buffer | null> {
    let buffer: Buffer = Buffer.alloc(0)
    const header = await this.info(oid)
    if (header === null) return null
    if (header.type !== options.type) throw new GitUnavailable(`object ${oid} is a ${header.type}, not a ${options.type}`)
    if (header.size > options.limit) throw new GitUnavailable(`object ${oid} has ${header.size} bytes, more than ${options.limit}`)
    const found = await this.contents(oid, ({ size }) => {
      buffer = Buffer.allocUnsafe(size)
      let at = 0
      return { write: (chunk) => void (at += chunk.copy(buffer, at)) }
    })
    return found === null ? null : buffer
  }

  async close(): Promise<void> {
    this.#fail(new GitUnavailable('reading was stopped'))
    await this.#git.end()
  }

  #ask(line: string, open: Request['open']): Promise<ObjectHeader | null> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      const late = () => this.#fail(new GitTimeout(`cat-file did not answer within ${this.#timeoutMs} ms`))
      const timer = this.#timeoutMs === null ? null : this.#host.clock.after(this.#timeoutMs, late)
      this.#waiting.push({ line, open, resolve, reject, cancelTimer: () => timer?.cancel() })
      this.#git.stdin.write(line)
      if (!this.#pumping) void this.#pump()
    })
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    try {
      for (let request = this.#waiting[0]; request !== undefined && this.#failure === null; request = this.#waiting[0]) {
        const header = await this.#answer(request)
        if (this.#failure !== null) return
        this.#waiting.shift()
        request.cancelTimer()
        request.resolve(header)
      }
    } catch (error) {
      // git ended: its exit says why, and fails what waits. Anything else is the sink's refusal.
      if (error === ended) await this.#git.exited
      else this.#fail(error instanceof Error ? error : new GitUnavailable(String(error)))
    } finally {
      this.#pumping = false
    }
  }

  async #answer(request: Request): Promise<ObjectHeader | null> {
    const line = await this.#line()
    if (line.endsWith(' missing')) return null
    const [, oid, type, size] = /^([0-9a-f]{40}) ([a-z]+) (\d{1,15})$/.exec(line) ?? []
    if (oid === undefined || type === undefined || size === undefined)
      throw new GitUnavailable(`cat-file answered ${JSON.stringify(line.slice(0, 200))}`)
    const header = { oid, type, size: Number(size) }
    if (request.open) {
      const sink = await request.open(header)
      for (let left = header.size; left > 0; ) {
        if (this.#rest.length === 0) this.#rest = await this.#chunk()
        const piece = this.#rest.subarray(0, left)
        this.#rest = this.#rest.subarray(piece.length)
        left -= piece.length
        await sink.write(piece)
      }
      if (this.#rest.length === 0) this.#rest = await this.#chunk()
      this.#rest = this.#rest.subarray(1)
    }
    return header
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a)
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + 1)
        return line
      }
      if (this.#rest.length > 4096) throw new GitUnavailable('cat-file answered without an end of line')
      const chunk = await this.#chunk()
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    }
  }

  async #chunk(): Promise<Buffer> {
    const next = await this.#chunks.next().catch(() => ({ done: true as const, value: undefined }))
    if (next.done) throw ended
    return next.value
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    void this.#git.end()
    for (const request of this.#waiting.splice(0)) {
      request.cancelTimer()
      request.reject(error)
    }
  }
}

const ended = Symbol('git ended')

function checkedOid(oid: string): string {
  if (!isOid(oid)) throw new GitUnavailable('not an object id')
  return oid
}
