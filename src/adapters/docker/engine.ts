import { request } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { isIP } from 'node:net'
import { PassThrough } from 'node:stream'
import type { IncomingMessage, RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'

/** What an engine is spoken to with over TLS, as PEM: who signed its certificate, and what shows it who we are. */
type EngineCertificates = { readonly ca: string; readonly cert: string; readonly key: string }

/** Where an engine listens: a socket of this machine, or an address; `tls` null: it is spoken to without encryption. */
type EngineAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number; readonly tls: EngineCertificates | null }

/** The standard streams of a container, for as long as it runs. */
type Attached = {
  readonly input: Writable
  readonly out: Readable
  readonly err: Readable
  /** Resolves when it says nothing more. Standard error stays open for the words of `end`. */
  readonly closed: Promise<void>
  end(last: string): void
  destroy(): void
}

type Ask = {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal /** How long the engine may be silent; 0: for ever. */
  readonly idleMs?: number
}

/** An engine, spoken to through its HTTP API. What it refuses is an `EngineRefused`, what keeps it from answering an `EngineGone`. */
type Engine = {
  /** Whether it is this machine's own, so that its containers are processes here. */
  readonly local: boolean
  call(method: 'GET' | 'POST' | 'DELETE', path: string, ask?: Ask): Promise<unknown>
  /** The same for an answer that is a document in each line; rejects with the error that one of them tells. */
  follow(method: 'POST', path: string, ask?: Ask): Promise<void>
  attach(id: string): Promise<Attached>
}

/** The engine has answered, and not with what was asked for. */
class EngineRefused extends Error {
  override readonly name = 'EngineRefused'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The engine could not be asked. */
class EngineGone extends Error {
  override readonly name = 'EngineGone'
}

const answerBytes = 8 * 1024 * 1024
const idle = 60_000

/** Reads `unix:///path`, `/path` or `tcp://host:port`; null when it is none of them. A socket of this machine needs no certificates. */
function addressOf(text: string, tls: EngineCertificates | null): EngineAddress | null {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(text)?.[1]
  if (path) return { socketPath: path }
  const [, host, port] = /^tcp:\/\/([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(text) ?? []
  return host && port ? { host: host.replace(/^\[|\]$/g, ''), port: Number(port), tls } : null
}

/** A client of one engine. It keeps no connection and no state. */
function engineAt(address: EngineAddress): Engine {
  const [place, requestOf] = wayTo(address)

  const options = (method: string, path: string, headers: Record<string, string>): RequestOptions => ({
    ...place,
    ...{ method, path, headers: { host: 'docker', ...headers }, agent: false },
  })

  function ask(method: string, path: string, { body, headers: more = {}, signal, idleMs = idle }: Ask): Promise<IncomingMessage> {
    const text = body === undefined ? null : JSON.stringify(body)
    const length = text === null ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
    const headers = { ...length, ...more }
    return new Promise((resolve, reject) => {
      const asked = requestOf({ ...options(method, path, headers), ...(signal ? { signal } : {}) }, resolve)
      asked.setTimeout(idleMs, () => asked.destroy(new Error('it does not answer')))
      asked.on('error', (error) => reject(signal?.aborted ? signal.reason : gone(error)))
      asked.end(text ?? undefined)
    })
  }

  return {
    local: 'socketPath' in address,
    async call(method, path, options = {}) {
      const response = await ask(method, path, options)
      const text = await textOf(response)
      const status = response.statusCode ?? 0
      if (status >= 400) throw new EngineRefused(status, messageIn(text))
      return parsed(text)
    },
    async follow(method, path, options = {}) {
      const response = await ask(method, path, options)
      const status = response.statusCode ?? 0
      if (status >= 400) throw new EngineRefused(status, messageIn(await textOf(response)))
      // Only the line that tells of a failure counts: the last one then.
      let tail = ''
      try {
        for await (const chunk of response) tail = (tail + String(chunk)).slice(-64 * 1024)
      } catch (error) {
        throw options.signal?.aborted ? options.signal.reason : gone(error)
      }
      const last = parsed(tail.trimEnd().split('\n').at(-1) ?? '')
      const error = member(last, 'error')
      if (typeof error === 'string') throw new EngineRefused(200, error)
    },
    attach(id) {
      const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`
      return new Promise((resolve, reject) => {
        const asked = requestOf(options('POST', path, { connection: 'Upgrade', upgrade: 'tcp' }))
        asked.setTimeout(idle, () => asked.destroy(new Error('it does not answer')))
        asked.on('error', (error) => reject(gone(error)))
        asked.on('response', (response) => {
          response.resume()
          reject(new EngineRefused(response.statusCode ?? 0, 'The streams of a container cannot be had'))
        })
        asked.on('upgrade', (_, socket, head) => {
          socket.setTimeout(0)
          resolve(divided(socket as Socket, head)) // a client's is the socket itself
        })
        asked.end()
      })
    },
  }
}

function wayTo(address: EngineAddress): readonly [RequestOptions, typeof request] {
  if ('socketPath' in address) return [address, request]
  const { host, port, tls } = address
  if (tls === null) return [{ host, port }, request]
  // The certificate is for the host that was configured; an address has no name to ask for.
  return [{ host, port, ...tls, servername: isIP(host) ? '' : host, minVersion: 'TLSv1.2' } as RequestOptions, requestOverTls] // options of TLS among them
}

// Each piece of output comes with eight bytes ahead of it: which stream, and how long.
function divided(socket: Socket, head: Buffer): Attached {
  const streams = { out: new PassThrough(), err: new PassThrough() }
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let header = Buffer.alloc(0)
  let left = 0
  let to = streams.out
  const take = (chunk: Buffer) => {
    for (let rest = chunk; rest.length > 0; ) {
      if (left === 0) {
        const missing = 8 - header.length
        header = Buffer.concat([header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (header.length < 8) return
        to = header[0] === 2 ? streams.err : streams.out
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        continue
      }
      const piece = rest.subarray(0, left)
      rest = rest.subarray(piece.length)
      left -= piece.length
      if (!to.write(piece)) {
        // Nobody may have begun to read.
        socket.pause()
        to.once('drain', () => socket.resume())
      }
    }
  }
  socket.on('error', () => {}) // it may end without reading
  socket.on('data', take)
  socket.once('close', () => {
    streams.out.end()
    resolve()
  })
  if (head.length > 0) take(head)
  return { input: socket, ...streams, closed, end: (last) => void streams.err.end(last), destroy: () => void socket.destroy() }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > answerBytes) throw new Error('its answer is too long')
      chunks.push(chunk)
    }
  } catch (error) {
    throw gone(error)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return text
  }
}

/** A member of what the engine answered; undefined when there is none. */
function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined // seen to be one
}

function messageIn(text: string): string {
  const message = member(parsed(text), 'message')
  return typeof message === 'string' ? message.slice(0, 1000) : 'it gave no reason'
}

function gone(error: unknown): EngineGone {
  return new EngineGone(`The Docker engine cannot be reached: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

export type { Attached, Engine, EngineAddress, EngineCertificates }
export { EngineGone, EngineRefused, addressOf, engineAt, member }
