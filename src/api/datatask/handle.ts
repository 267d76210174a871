import { fault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { sendError, sendJson, sendPieces, unmatched } from './answer.ts'
import { identifyOpen, identifyProtected } from './authenticate.ts'
import { bringsBody, readBody } from './body.ts'
import { checkRequired, decodeParameters, decodeQuery, idempotencyKey } from './decode.ts'
import { parseForm } from './form.ts'
import { match, splitTarget } from './path.ts'
import { routes } from './routes.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Values } from './decode.ts'
import type { AnonymousRate } from './rate.ts'
import type { Does, Route } from './routes.ts'

const via = 'datatask'
const largestPage = 1000

type Handler = { readonly host: ApiHost; readonly rate: AnonymousRate }

/** Answers one request, in the order of decisions of the contract (§3.5): route, identity, other sites, forms; what comes then is the operation's. */
async function handle(request: FastifyRequest, reply: FastifyReply, { host, rate }: Handler): Promise<FastifyReply> {
  const { path, query } = splitTarget(request.raw.url ?? '')
  const found = match(routes, request.method, path)
  if (!found || 'allowed' in found) return sendError(request, reply, host, unmatched(request, reply, found?.allowed ?? []))
  const { route, raw } = found
  const fields = route.does.kind === 'call' ? route.does.fields : undefined
  try {
    const body = once(() => (bringsBody(request.raw) ? readBody(request.raw) : Promise.resolve(Buffer.alloc(0))))
    const call = await callOf(request, { host, rate }, route, body)
    if (route.does.kind === 'not_supported') {
      throw fault('unsupported', {
        what: route.does.what,
        why: 'this version runs jobs and pipelines; the README of this API lists what comes later',
      })
    }
    const values = await valuesOf(request, route, raw, query, body)
    return route.does.kind === 'list'
      ? await sendList(reply, host, call, route.does, values)
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

type Listing = Extract<Does, { kind: 'list' }>
type Page = { readonly items: readonly unknown[]; readonly next: string | null }

// A short list is one answer; a long one is sent while its pages are read, so that it is never whole in memory.
async function sendList(reply: FastifyReply, host: ApiHost, call: Call, does: Listing, values: Values): Promise<FastifyReply> {
  const page = (cursor?: string) =>
    host.invoke<Page>(call, does.operation, { ...does.input(values), limit: largestPage, ...(cursor !== undefined && { cursor }) })
  const first = await page()
  const encoded = ({ items }: Page) => items.map((item) => does.encode(item as never))
  if (first.next === null) {
    const empty = Object.fromEntries((does.empty ?? []).map((member) => [member, []]))
    return sendJson(reply, { [does.member]: encoded(first), ...empty })
  }
  async function* pieces(): AsyncGenerator<string> {
    yield `{${JSON.stringify(does.member)}:[`
    let separator = ''
    for (let next: Page | null = first; next !== null; next = next.next === null ? null : await page(next.next)) {
      const text = encoded(next).map((item) => JSON.stringify(item))
      if (text.length > 0) yield separator + text.join(',')
      if (text.length > 0) separator = ','
    }
    yield `]${(does.empty ?? []).map((member) => `,${JSON.stringify(member)}:[]`).join('')}}`
  }
  return sendPieces(reply, pieces())
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
