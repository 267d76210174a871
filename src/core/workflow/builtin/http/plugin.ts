import { OutboundFailed } from '../../../../ports/egress.ts'
import { deeperThan } from '../../../kernel/json.ts'
import { flagMember, memberOf, objectMember, textMember } from '../../document/members.ts'
import { textOf } from '../../language/path.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { numberInput } from '../input.ts'
import { httpSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { OutboundReply } from '../../../../ports/egress.ts'
import type { BuiltinContext } from '../builtin.ts'

const bodyLimit = 10 * 1024 * 1024
const deepest = 64
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/
const mostHeaders = 100

type Asked = { readonly method: string; readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string | null }

/** Requests to the web. A request may change something over there, so one that a restart cut off is not repeated. */
const httpPlugin = builtinPlugin('http', httpSpec, {
  request: {
    repeatable: false,
    async run(context, input) {
      const until = context.services.clock.now() + timeoutOf(input)
      const redirects = Math.min(Math.max(numberInput(input, 'redirects'), 0), 20)
      let asked = askedFor(input)
      for (let hop = 0; ; hop++) {
        const reply = await call(context, asked, until - context.services.clock.now())
        const location = reply.headers.get('location')
        if (!isRedirect(reply.status) || location === undefined || redirects === 0) return answer(input, asked, reply)
        if (hop === redirects) throw new ActionFailed(`There were more than ${redirects} redirects`)
        asked = redirected(asked, reply.status, location)
        context.log(`${reply.status}: on to ${withoutQuery(asked.url)}`)
      }
    },
  },
})

function askedFor(input: JsonObject): Asked {
  const url = URL.parse(textMember(input, 'url'))
  if (!url) throw new ActionFailed('The URL cannot be read; write for example https://example.com/path')
  const headers = headersOf(objectMember(input, 'headers'))
  if ((url.username !== '' || url.password !== '') && !has(headers, 'authorization')) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  }
  url.username = ''
  url.password = ''
  const object = objectMember(input, 'body_object')
  const text = textMember(input, 'body')
  const json = text === '' && Object.keys(object).length > 0
  if (json && !has(headers, 'content-type')) headers['content-type'] = 'application/json'
  return { method: textMember(input, 'method'), url: url.href, headers, body: json ? JSON.stringify(object) : text === '' ? null : text }
}

function headersOf(given: JsonObject): Record<string, string> {
  const entries = Object.entries(given)
  if (entries.length > mostHeaders) throw new ActionFailed(`There are more than ${mostHeaders} headers`)
  for (const [name, value] of entries) {
    if (!headerName.test(name)) throw new ActionFailed(`"${name.slice(0, 60)}" is no name of a header`)
    // Line ends in a value would be headers of their own; other characters cannot be sent at all.
    if (!/^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(textOf(value)))
      throw new ActionFailed(`The header "${name}" has characters that headers cannot have`)
  }
  return Object.fromEntries([['accept-encoding', 'identity'], ...entries.map(([name, value]) => [name.toLowerCase(), textOf(value)])])
}

async function call({ services, signal }: BuiltinContext, asked: Asked, leftMs: number): Promise<OutboundReply> {
  try {
    const reply = await services.outbound.call({ ...asked, purpose: 'plugin', timeoutMs: Math.max(leftMs, 1), keepBytes: bodyLimit, signal })
    if (!reply.complete) throw new ActionFailed('The answer is larger than 10 MiB')
    return reply
  } catch (error) {
    if (error instanceof OutboundFailed) throw new ActionFailed(error.message)
    throw error
  }
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

function redirected(asked: Asked, status: number, location: string): Asked {
  const url = URL.parse(location, asked.url)
  if (!url) throw new ActionFailed('The answer leads to an address that cannot be read')
  const credentials = new Set(['authorization', 'cookie'])
  const body = new Set(['content-type'])
  const elsewhere = url.origin !== new URL(asked.url).origin
  const becomesGet = status === 303 ? asked.method !== 'HEAD' : (status === 301 || status === 302) && asked.method === 'POST'
  const kept = Object.entries(asked.headers).filter(([name]) => !(elsewhere && credentials.has(name)) && !(becomesGet && body.has(name)))
  url.username = ''
  url.password = ''
  return {
    method: becomesGet ? 'GET' : asked.method,
    url: url.href,
    headers: Object.fromEntries(kept),
    body: becomesGet ? null : asked.body,
  }
}

function answer(input: JsonObject, { url }: Asked, { status, headers, body }: OutboundReply): JsonObject {
  if (flagMember(input, 'fail_on_status') && status >= 400) throw new ActionFailed(`The answer has the status ${status}`)
  const text = textIn(body)
  const object = text === null ? undefined : jsonIn(text, headers.get('content-type') ?? '')
  return {
    status,
    headers: Object.fromEntries(headers),
    body: text ?? '',
    ...(object === undefined ? {} : { body_object: object }),
    ...(text === null ? { body_base64: Buffer.from(body).toString('base64') } : {}),
    size: body.length,
    url,
  }
}

function textIn(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return null
  }
}

// Many servers send JSON under another name, so the text decides unless it is said to be something else.
function jsonIn(text: string, type: string): Json | undefined {
  if (type !== '' && !/json|text\/plain|octet-stream/i.test(type)) return undefined
  try {
    const value = JSON.parse(text) as Json // what the parser gives is JSON
    return typeof value !== 'object' || value === null || deeperThan(value, deepest) ? undefined : value
  } catch {
    return undefined
  }
}

function timeoutOf(input: JsonObject): number {
  const seconds = Number(memberOf(input, 'timeout') ?? 30)
  if (!(seconds > 0 && seconds <= 300)) throw new ActionFailed('"timeout" is up to 300 seconds')
  return seconds * 1000
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '')
}

function has(headers: Readonly<Record<string, string>>, name: string): boolean {
  return Object.hasOwn(headers, name)
}

export { httpPlugin }
