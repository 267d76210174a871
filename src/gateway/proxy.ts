import { Agent, request as send } from 'node:http'
import { answerHeaders, ownCookies, requestHeaders } from './headers.ts'
import { refuse } from './answer.ts'
import { inTurn, rewritten, takeTarget } from './table.ts'
import { readCookie } from '../api/cookie.ts'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Visit } from './headers.ts'
import type { GatewayHost } from './host.ts'
import type { Route, Target } from './table.ts'

/** A request on its way to a service. */
type Passing = {
  readonly host: GatewayHost
  readonly agent: Agent
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly route: Route
  readonly visit: Visit
}

/** Connections to instances, kept while they are used. */
function createAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: 60_000, scheduling: 'lifo' })
}

/**
 * Passes a request to an instance of its service and the answer back, both as they come. An instance that does not take the connection is passed over for
 * the next; once an instance may have seen the request, another one gets it only where that can do no harm.
 */
function pass(passing: Passing): void {
  const { request, route } = passing
  const targets = inTurn(route, readCookie(request.headers.cookie, ownCookies.sticky))
  tryNext(passing, targets)
}

function tryNext(passing: Passing, targets: Target[]): void {
  const { host, request, response } = passing
  if (request.destroyed && !request.complete) return
  const taken = takeTarget(host, targets)
  if (taken) attempt(passing, { ...taken, others: targets })
  else refuse(response, 503)
}

type Attempt = { readonly target: Target; readonly others: Target[]; readonly leave: () => void }

function attempt(passing: Passing, { target, others, leave }: Attempt): void {
  const { host, agent, request, response, route, visit } = passing
  const headers = requestHeaders(request, visit)
  const hasBody = bringsBody(request)
  // What has a body cannot be sent twice, so it never goes by a connection that may just be ending.
  const outgoing = send({
    agent: hasBody ? false : agent,
    host: '127.0.0.1',
    port: target.port,
    method: request.method,
    path: rewritten(route, request.url ?? '/'),
    headers,
  })
  let state: 'connecting' | 'sent' | 'answered' | 'over' = 'connecting'
  const over = () => {
    if (state === 'over') return
    state = 'over'
    late.cancel()
    leave()
  }
  // The time for an answer begins when the service has all of the request.
  let late = { cancel: () => {} }
  const startClock = () => {
    if (state !== 'over' && state !== 'answered') late = host.clock.after(route.timeout_ms, () => fail(504))
  }
  const fail = (status: number) => {
    if (state === 'over') return
    over()
    outgoing.destroy()
    refuse(response, status, status === 504 || !request.complete ? { connection: 'close' } : {})
  }
  const body = () => {
    state = 'sent'
    request.pipe(outgoing)
    if (request.complete) startClock()
    else request.once('end', startClock)
  }
  if (hasBody) whenConnected(outgoing, body)
  else {
    outgoing.end()
    startClock()
  }
  response.once('close', () => {
    over()
    if (!response.writableFinished) outgoing.destroy()
  })
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    if (state === 'over') return
    if (state === 'answered') {
      over()
      return void response.destroy()
    }
    const untouched = error.code === 'ECONNREFUSED' || (!hasBody && outgoing.reusedSocket)
    const harmless = !hasBody && isReading(request)
    const again = untouched && state === 'connecting' ? true : !hasBody && (untouched || harmless)
    over()
    if (!again) return refuse(response, 502, { connection: 'close' })
    tryNext(passing, outgoing.reusedSocket ? [target, ...others] : others)
  })
  outgoing.once('response', (answer) => {
    if (state === 'over') return
    state = 'answered'
    late.cancel()
    sendBack(passing, target, answer)
    answer.once('close', over)
  })
}

function sendBack({ request, response, route, host }: Passing, target: Target, answer: IncomingMessage): void {
  const kept = readCookie(request.headers.cookie, ownCookies.sticky)
  const sticky = route.sticky_sessions && kept !== target.mark ? [stickyCookie(route, target, host)] : []
  response.sendDate = false
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answerHeaders(answer, sticky))
  // What comes bit by bit must be seen to have begun.
  if (answer.headers['content-length'] === undefined) response.flushHeaders()
  // What ends early must not look whole.
  answer.on('error', () => response.destroy()).once('aborted', () => response.destroy())
  answer.pipe(response)
}

function stickyCookie({ prefix }: Route, { mark }: Target, { gatewayUrl }: GatewayHost): string {
  return `${ownCookies.sticky}=${mark}; Path=${prefix}; HttpOnly; SameSite=Lax${gatewayUrl.startsWith('https:') ? '; Secure' : ''}`
}

// Many clients say with each read that its body has no bytes.
function bringsBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  return encoding !== undefined || (length !== undefined && !(isReading(request) && Number(length) === 0))
}

function isReading({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}

// Nothing of the body is taken before somebody is there to get it: then another instance can still get all of it.
function whenConnected(outgoing: ClientRequest, work: () => void): void {
  outgoing.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', work)
    else work()
  })
}

export type { Passing }
export { createAgent, pass }
