import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { getCACertificates } from 'node:tls'
import type { IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { isFault } from '../../core/kernel/fault.ts'
import { OutboundFailed } from '../../ports/egress.ts'
import type { Egress, Outbound, OutboundCall, OutboundReply } from '../../ports/egress.ts'

const userAgent = 'Capstan'

/** Requests through the guard: the connection goes to the address that was judged, whatever the name means a moment later. */
function createOutbound(options: { egress: Egress }): Outbound {
  const { egress } = options
  const call = async (request: OutboundCall): Promise<OutboundReply> => {
    const url = URL.parse(request.url)
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new OutboundFailed('The address is neither http nor https')
    const late = AbortSignal.timeout(request.timeoutMs)
    const signal = AbortSignal.any([request.signal, late])
    try {
      const addresses = await within(signal, egress.resolve(url.hostname, request.purpose))
      return await send(url, addresses, request, signal)
    } catch (error) {
      if (isFault(error)) throw error
      if (late.aborted && !request.signal.aborted)
        throw new OutboundFailed(`There was no answer within ${request.timeoutMs / 1000} s`, { cause: error })
      throw error instanceof OutboundFailed ? error : new OutboundFailed(said(error), { cause: error })
    }
  }
  return {
    call,
    async post(request) {
      const { status, body } = await call({ ...request, method: 'POST' })
      return { status, excerpt: Buffer.from(body).toString('utf8') }
    },
  }
}

// Ours to say: with others a message could be read as two.
const framing: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'proxy-connection',
])

async function send(url: URL, addresses: readonly string[], request: OutboundCall, signal: AbortSignal): Promise<OutboundReply> {
  const body = request.body === null ? null : Buffer.from(request.body)
  const bare = url.hostname.replace(/^\[|\]$/g, '')
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  const given = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !framing.has(name.toLowerCase())))
  return new Promise((resolve, reject) => {
    const outgoing = start({
      host: bare,
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      // The name is not asked for again: the second answer could be another.
      lookup: answered(addresses),
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: {
        'user-agent': userAgent,
        ...given,
        host: url.host,
        ...(body ? { 'content-length': String(body.length) } : {}),
        connection: 'close',
      },
      agent: false,
      signal,
      ...(request.trusted === undefined ? {} : { ca: [...getCACertificates(), request.trusted] }),
    })
    outgoing.once('error', reject)
    // Nothing else comes of it then, not even its end in time.
    outgoing.once('upgrade', (_, socket) => {
      socket.destroy()
      reject(new OutboundFailed('The answer speaks another protocol'))
    })
    let answers = false
    outgoing.once('close', () => {
      if (!answers) reject(new OutboundFailed('The connection was cut'))
    })
    outgoing.once('response', (answer) => {
      answers = true
      bodyOf(answer, request.keepBytes).then((kept) => {
        outgoing.destroy()
        resolve({ status: answer.statusCode ?? 0, headers: headersOf(answer), ...kept })
      }, reject)
    })
    outgoing.end(body ?? undefined)
  })
}

function headersOf({ headersDistinct }: IncomingMessage): Map<string, string> {
  return new Map(Object.entries(headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]))
}

function answered(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return (_, options, done) => {
    if (options.all) done(null, all)
    else done(null, all[0]?.address ?? '', all[0]?.family)
  }
}

async function bodyOf(answer: IncomingMessage, limit: number): Promise<{ body: Buffer; complete: boolean }> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, limit - size))
    size += chunk.length
    // Whether there is more shows with the first byte of it.
    if (size > limit) break
  }
  return { body: Buffer.concat(chunks), complete: size <= limit }
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

// Words that say what the receiver's operator can look after, and no address of ours.
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The connection was refused',
  ECONNRESET: 'The connection was cut',
  EPIPE: 'The connection was cut',
  ETIMEDOUT: 'There was no answer in time',
  EHOSTUNREACH: 'The host cannot be reached',
  ENETUNREACH: 'The host cannot be reached',
  HPE_HEADER_OVERFLOW: 'The headers of the answer are larger than 16 KiB',
}

function said(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (words[code]) return words[code]
  if (code.startsWith('HPE_')) return `The other end does not answer in HTTP (${code})`
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code)) return `The certificate or the encryption of the other end is not good (${code})`
  return code === '' ? 'The answer could not be read' : `The request failed (${code})`
}

export { createOutbound }
