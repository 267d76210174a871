import { setImmediate as turn } from 'node:timers/promises'
import { fault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { bringsBody, readBody } from '../body.ts'
import { sendError, sendJson, sendPieces, unmatched } from './answer.ts'
import { identifyOpen, identifyProtected } from './authenticate.ts'
import { checkRequired, decodeParameters, decodeQuery, idempotencyKey } from './decode.ts'
import { parseForm } from './form.ts'
import { match, splitTarget } from './path.ts'
import { routes } from './routes.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Values } from './decode.ts'
import type { AnonymousRate } from './rate.ts'
import type { Does, Listing, Route } from './routes.ts'

const via = 'datatask'
const largestPage = 1000
const bodyLimit = 1024 * 1024

type Handler = { readonly host: ApiHost; readonly rate: AnonymousRate }

/** Answers one request, in the order of decisions of the contract (§3.5): route, identity, other sites, forms; what comes then is the operation's. */
async function handle(request: FastifyRequest, reply: FastifyReply, { host, rate }: Handler): Promise<FastifyReply> {
  const { path, query } = splitTarget(request.raw.url ?? '')
  const found = match(routes, request.method, path)
  if (!found || 'allowed' in found) return sendError(request, reply, host, unmatched(request, reply, found?.allowed ?? []))
  const { route, raw } = found
  const fields = route.does.kind === 'call' ? route.does.fields : undefined
  try {
    const body = once(() => (bringsBody(request.raw) ? readBody(request.raw, bodyLimit) : Promise.resolve(Buffer.alloc(0))))
    const call = await callOf(request, { host, rate }, route, body)
    const values = await valuesOf(request, route, raw, query, body)
    return route.does.kind === 'list'
      ? await sendList(reply, host, call, route.does.lists, values)
      : await sendCall(request, reply, host, call, route, values)
  } catch (error) {
    return sendError(request, reply, host, error, fields)
  }
}

async function callOf(request: FastifyRequest, { host, rate }: Handler, route: Route, body: () => Promise<Buffer>): Promise<Call> {
  const origin = host.originOf(request, via)
  const reading = { host, origin, body }
  if (route.auth === 'protected' || host.settings.requireIdentityEverywhere) return { principal: await identifyProtected(request, reading), origin }
  const principal = await identifyOpen(request, reading)
  const waitMs = isSignedIn(principal) ? 0 : rate.take(origin.peer)
  if (waitMs > 0) throw fault('rate_limited', { seconds: Math.ceil(waitMs / 1000) }, { retryAfterMs: waitMs })
  return { principal, origin }
}

async function valuesOf(
  request: FastifyRequest,
  route: Route,
  raw: Readonly<Record<string, string>>,
  query: string,
  body: () => Promise<Buffer>,
): Promise<Values> {
  const parameters = decodeParameters(raw)
  const asked = decodeQuery(query)
  const fields = route.method === 'POST' ? parseForm(await body(), request.headers['content-type']) : new Map()
  checkRequired(route, fields)
  return { parameters, query: asked, fields }
}

type Calling = Extract<Does, { kind: 'call' }>

async function sendCall(
  request: FastifyRequest,
  reply: FastifyReply,
  host: ApiHost,
  call: Call,
  route: Route,
  values: Values,
): Promise<FastifyReply> {
  const does = route.does as Calling // the caller looked
  const input = does.input(values)
  const key = does.repeatable ? idempotencyKey(request.headers['idempotency-key']) : undefined
  const repeated = key === undefined ? {} : { idempotency_key: key, route: `${route.method} ${route.path}` }
  const output = await host.invoke<Readonly<Record<string, unknown>>>(call, does.operation, { ...input, ...repeated })
  if (output.replayed === true) reply.header('idempotency-replayed', 'true')
  return sendJson(reply, does.encode(output as never))
}

type Page = { readonly items: readonly unknown[]; readonly next: string | null }

// Short lists are one answer; long ones are sent while their pages are read, so that they are never whole in memory.
async function sendList(reply: FastifyReply, host: ApiHost, call: Call, lists: readonly Listing[], values: Values): Promise<FastifyReply> {
  const page = ({ operation, input }: Listing, cursor?: string) =>
    host.invoke<Page>(call, operation, { ...input(values), limit: largestPage, ...(cursor !== undefined && { cursor }) })
  // All first pages before the first byte: what can be refused is refused by then.
  const firsts: [Listing, Page][] = []
  for (const list of lists) firsts.push([list, await page(list)])
  if (firsts.every(([, first]) => first.next === null)) {
    return sendJson(reply, Object.fromEntries(firsts.map(([list, { items }]) => [list.member, items.map((item) => list.encode(item as never))])))
  }
  async function* pieces(): AsyncGenerator<string> {
    for (const [at, [list, first]] of firsts.entries()) {
      yield `${at === 0 ? '{' : ','}${JSON.stringify(list.member)}:[`
      let separator = ''
      for (let next: Page | null = first; next !== null; next = next.next === null ? null : await page(list, next.next)) {
        if (next.items.length > 0) yield separator + next.items.map((item) => textOf(list, item)).join(',')
        if (next.items.length > 0) separator = ','
        // A long list must not keep everybody else waiting until its end.
        await turn()
      }
      yield ']'
    }
    yield '}'
  }
  return sendPieces(reply, pieces())
}

const texts = new WeakMap<object, { readonly encode: Listing['encode']; readonly text: string }>()

/** An item as the answer says it. What is frozen will be asked for again, and says the same. */
function textOf({ encode }: Listing, item: unknown): string {
  const known = Object.isFrozen(item) ? texts.get(item as object) : undefined // what has a text is an object
  if (known?.encode === encode) return known.text
  const text = JSON.stringify(encode(item as never))
  if (typeof item === 'object' && item !== null && Object.isFrozen(item)) texts.set(item, { encode, text })
  return text
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

export type { Handler }
export { handle }
