import { OutboundFailed } from '../../../../ports/egress.ts'
import { deeperThan } from '../../../kernel/json.ts'
import { flagMember, memberOf } from '../../document/members.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { numberInput } from '../input.ts'
import { accessFrom, accessOf, isBelow } from './access.ts'
import { askedFor, redirected } from './asked.ts'
import { httpSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { OutboundReply } from '../../../../ports/egress.ts'
import type { BuiltinAction, BuiltinContext, BuiltinPlugin } from '../builtin.ts'
import type { HttpAccess } from './access.ts'
import type { Asked } from './asked.ts'

const bodyLimit = 10 * 1024 * 1024
const deepest = 64
const testMs = 30_000

type Reaching = Pick<BuiltinContext, 'services' | 'signal'>

const actions: Readonly<Record<string, BuiltinAction>> = {
  request: {
    repeatable: false,
    async run(context, input) {
      const until = context.services.clock.now() + timeoutOf(input)
      const redirects = Math.min(Math.max(numberInput(input, 'redirects'), 0), 20)
      const access = await accessOf(context)
      let asked = askedFor(input, access)
      for (let hop = 0; ; hop++) {
        const reply = await call(context, asked, { access, leftMs: until - context.services.clock.now() })
        const location = reply.headers.get('location')
        if (!isRedirect(reply.status) || location === undefined || redirects === 0) return answer(input, asked, reply)
        if (hop === redirects) throw new ActionFailed(`There were more than ${redirects} redirects`)
        asked = redirected(asked, { status: reply.status, location }, access)
        context.log(`${reply.status}: on to ${withoutQuery(asked.url)}`)
      }
    },
  },
}

/** Requests to the web. A request may change something over there, so one that a restart cut off is not repeated. */
const httpPlugin: BuiltinPlugin = {
  ...builtinPlugin('http', httpSpec, actions),
  async test(reaching, parameters) {
    const access = accessFrom(parameters)
    const { status } = await call(reaching, askedFor({ url: access.base.href, method: 'GET' }, access), { access, leftMs: testMs })
    if (status === 401 || status === 403 || status >= 500) throw new ActionFailed(`The base URL answers with the status ${status}`)
    return `The base URL answers with the status ${status}.`
  },
}

async function call({ services, signal }: Reaching, asked: Asked, options: { access: HttpAccess | null; leftMs: number }): Promise<OutboundReply> {
  const { access, leftMs } = options
  const trusted = access?.trusted !== undefined && isBelow(access, new URL(asked.url)) ? { trusted: access.trusted } : {}
  const limits = { timeoutMs: Math.max(leftMs, 1), keepBytes: bodyLimit }
  try {
    const reply = await services.outbound.call({ ...asked, ...trusted, ...limits, purpose: 'plugin', signal })
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

function answer(input: JsonObject, { url }: Asked, { status, headers, body }: OutboundReply): JsonObject {
  if (flagMember(input, 'fail_on_status') && status >= 400) throw new ActionFailed(`The answer has the status ${status}`)
  const type = headers.get('content-type') ?? ''
  const text = textIn(body, /;\s*charset="?([A-Za-z0-9._:-]{1,40})/i.exec(type)?.[1] ?? 'utf-8')
  const object = text === null ? undefined : jsonIn(text, type)
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

function textIn(body: Uint8Array, charset: string): string | null {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body)
  } catch (error) {
    // A name that nobody knows says nothing.
    return error instanceof RangeError && charset !== 'utf-8' ? textIn(body, 'utf-8') : null
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

export { httpPlugin }
