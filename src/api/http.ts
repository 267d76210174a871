import { fastify } from 'fastify'
import { fault } from '../core/kernel/fault.ts'
import { invoke as invokeOperation } from '../core/operation/invoke.ts'
import { bringsBody } from './body.ts'
import { clientAddress } from './client-address.ts'
import { answerClientError } from './client-error.ts'
import { createMetrics } from './metrics.ts'
import { sendFault } from './native/errors.ts'
import { watchRoutes } from './routes-seen.ts'
import { endSilent } from './silence.ts'
import { longestUrl, toFault } from './to-fault.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../core/identity/principal.ts'
import type { Credential } from '../core/identity/credential.ts'
import type { Origin } from '../core/operation/context.ts'
import type { Health } from '../core/operation/health.ts'
import type { Call } from '../core/operation/invoke.ts'
import type { Services } from '../core/operation/services.ts'
import type { Config } from '../config/load.ts'
import type { Api, ApiHost } from './api.ts'
import type { RoutesSeen } from './routes-seen.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The API that a route belongs to, for metrics. */
    api?: string
    /** The handler takes the body as it comes, however long that lasts (pushes). Others must have it within half a minute. */
    streamsBody?: boolean
  }
}

type HttpOptions = {
  readonly config: Pick<Config, 'trustedProxies' | 'bodyLimitBytes'>
  readonly services: Services
  readonly apis: readonly Api[]
  readonly health: Health
  readonly identify: (credential: Credential, origin: Origin) => Promise<Principal>
  readonly stream: (call: Call, stream: string, input: unknown) => Promise<AsyncIterable<unknown>>
}

const seconds = 1000
const bodyWithinMs = 30 * seconds
const closeWithinMs = 4 * seconds
const silentMs = 120 * seconds

const staticHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  // For what is no page at all; a page sets its own.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

/** The one listener of all APIs, ready to listen. Closing it ends streams and idle connections, and all others after a few seconds. */
async function createHttp(options: HttpOptions): Promise<FastifyInstance> {
  const { services, apis } = options
  const closing = new AbortController()
  const host = hostOf(options, closing.signal)
  const http = fastify({
    logger: false,
    // HEAD on an address whose GET changes something must not change it.
    exposeHeadRoutes: false,
    bodyLimit: options.config.bodyLimitBytes,
    routerOptions: { maxParamLength: longestUrl },
    schemaController: { compilersFactory: { buildValidator: noRouteSchemas, buildSerializer: noRouteSchemas } },
    genReqId: () => services.ids.opaque(),
    forceCloseConnections: 'idle',
    keepAliveTimeout: 65 * seconds,
    http: { maxHeaderSize: 32 * 1024, headersTimeout: 15 * seconds, connectionsCheckingInterval: 5 * seconds },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      reply.headers(staticHeaders)
      // An address that the router cannot read still belongs to somebody, who refuses it in its own form.
      const owner = ownerOf(apis, pathOf(request))
      const why = toFault(error, request, host.log)
      if (owner?.refuseUnmatched) void owner.refuseUnmatched(request, reply, host, why)
      else sendFault(reply, why)
    },
  })
  // A form of another site can send text/plain: no API of ours takes it.
  http.removeContentTypeParser('text/plain')
  // Nothing of ours is silent for so long once it has begun: streams ping, git reports progress.
  endSilent(http, silentMs)
  http.setErrorHandler((error, request, reply) => sendFault(reply, toFault(error, request, host.log)))
  const routes = watchRoutes(http)
  addHooks(http, host, apis)
  http.setNotFoundHandler((request, reply) => refuse(request, reply, { apis, host, routes }))
  for (const api of apis) {
    await http.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, api: api.name }
      })
      await api.register(scope, host)
    })
  }
  endWithClose(http, closing)
  await http.ready()
  checkSegments(routes, apis)
  return http
}

/** Starts to listen, and gives the port that was taken. A taken port or a foreign address rejects with node's error. */
async function listenHttp(http: FastifyInstance, { host, port }: { host: string; port: number }): Promise<number> {
  await http.listen({ host, port })
  const address = http.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

function hostOf(options: HttpOptions, closing: AbortSignal): ApiHost {
  const { services } = options
  const metrics = createMetrics()
  const addressOf = clientAddress(options.config.trustedProxies)
  return {
    registry: services.registry,
    settings: services.settings,
    clock: services.clock,
    log: services.log,
    health: options.health,
    metrics,
    stopping: AbortSignal.any([services.stopping, closing]),
    async invoke<Output>(call: Call, operation: string, input: unknown): Promise<Output> {
      try {
        const output = await invokeOperation<Output>(services, call, operation, input)
        metrics.count('capstan_operations_total', { operation, outcome: 'succeeded' })
        return output
      } catch (error) {
        const outcome = (error as { code?: string }).code ?? 'internal' // invoke throws faults only
        metrics.count('capstan_operations_total', { operation: services.registry.has(operation) ? operation : '', outcome })
        throw error
      }
    },
    // Items are what the stream's own module says; `invoke` makes the same promise about outputs.
    stream: <Item>(call: Call, stream: string, input: unknown) => options.stream(call, stream, input) as Promise<AsyncIterable<Item>>,
    identify: options.identify,
    originOf: (request, via) => ({ via, peer: addressOf(request.raw), requestId: request.id }),
  }
}

function addHooks(http: FastifyInstance, host: ApiHost, apis: readonly Api[]): void {
  http.addHook('onRequest', (request, reply, done) => {
    reply.headers(staticHeaders)
    reply.header('x-request-id', request.id)
    if (request.url.length > longestUrl) done(fault('uri_too_long', { limit: longestUrl }))
    else done()
  })
  http.addHook('preParsing', (request, _reply, payload, done) => {
    if (!request.routeOptions.config.streamsBody && bringsBody(request.raw)) {
      const late = host.clock.after(bodyWithinMs, () => request.raw.destroy())
      request.raw.once('end', () => late.cancel()).once('close', () => late.cancel())
    }
    done(null, payload)
  })
  http.addHook('onResponse', (request, reply, done) => {
    const api = request.routeOptions.config?.api ?? ownerOf(apis, pathOf(request))?.name ?? ''
    host.metrics.count('capstan_http_requests_total', { api, status: String(reply.statusCode) })
    done()
  })
}

type Refusing = { readonly apis: readonly Api[]; readonly host: ApiHost; readonly routes: RoutesSeen }

async function refuse(request: FastifyRequest, reply: FastifyReply, { apis, host, routes }: Refusing): Promise<unknown> {
  const path = pathOf(request)
  const allowed = routes.methodsOf(path).join(', ')
  if (allowed) reply.header('allow', allowed)
  const owner = ownerOf(apis, path)
  if (owner?.refuseUnmatched) {
    await owner.refuseUnmatched(request, reply, host, null)
    return reply
  }
  return sendFault(reply, allowed ? fault('method_not_allowed', { method: request.method, allowed }) : fault('route_not_found'))
}

function ownerOf(apis: readonly Api[], path: string): Api | undefined {
  return apis.find((api) => api.ownsPath?.(path))
}

function pathOf(request: FastifyRequest): string {
  const end = request.url.indexOf('?')
  return end < 0 ? request.url : request.url.slice(0, end)
}

// Operations check their inputs themselves. What a framework brings for schemas of routes (two compilers, some megabytes) is never loaded.
function noRouteSchemas(): never {
  throw new Error('Routes have no schemas: the input of a route is checked by its operation')
}

// Streams end by the signal; whoever reads a large answer may finish it; then the rest is cut, so that stopping takes seconds.
function endWithClose(http: FastifyInstance, closing: AbortController): void {
  http.addHook('preClose', (done) => {
    closing.abort(fault('shutting_down'))
    setTimeout(() => http.server.closeAllConnections(), closeWithinMs).unref()
    done()
  })
}

// Repository names are refused by these segments: a route that is not in its API's list could be hidden by a repository, or hide one.
function checkSegments(routes: RoutesSeen, apis: readonly Api[]): void {
  const listed = new Set(apis.flatMap((api) => api.segments))
  const missing = [...routes.segments()].filter((segment) => segment !== '' && !listed.has(segment))
  if (missing.length > 0) throw new Error(`No API lists the first path segments ${missing.join(', ')} of its routes`)
}

export type { HttpOptions }
export { createHttp, listenHttp }
