import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { isFault } from '../../core/kernel/fault.ts'
import { OutboundFailed } from '../../ports/egress.ts'
import type { Egress, Outbound, OutboundAnswer, OutboundRequest } from '../../ports/egress.ts'

const userAgent = 'Capstan'

/** Posts through the guard: the connection goes to the address that was judged, whatever the name means a moment later. */
function createOutbound(options: { egress: Egress }): Outbound {
  const { egress } = options
  return {
    async post(request) {
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
    },
  }
}

async function send(url: URL, addresses: readonly string[], request: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer> {
  const body = Buffer.from(request.body)
  const bare = url.hostname.replace(/^\[|\]$/g, '')
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const outgoing = start({
      host: bare,
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      // The name is not asked for again: the second answer could be another.
      lookup: answered(addresses),
      method: 'POST',
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': userAgent, ...request.headers, host: url.host, 'content-length': String(body.length), connection: 'close' },
      agent: false,
      signal,
    })
    outgoing.once('error', reject)
    outgoing.once('response', (answer) => {
      excerptOf(answer, request.keepBytes).then((excerpt) => {
        outgoing.destroy()
        resolve({ status: answer.statusCode ?? 0, excerpt })
      }, reject)
    })
    outgoing.end(body)
  })
}

function answered(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return (_, options, done) => {
    if (options.all) done(null, all)
    else done(null, all[0]?.address ?? '', all[0]?.family)
  }
}

async function excerptOf(answer: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, limit - size))
    size += chunk.length
    if (size >= limit) break
  }
  return Buffer.concat(chunks).toString('utf8')
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
}

function said(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (words[code]) return words[code]
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return `The certificate or the encryption of the other end is not good (${code})`
  return code === '' ? 'The answer could not be read' : `The request failed (${code})`
}

export { createOutbound }
