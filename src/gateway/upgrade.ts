import { request as send } from 'node:http'
import { readCookie } from '../api/cookie.ts'
import { refusalText } from './answer.ts'
import { answerHeaders, ownCookies, requestHeaders } from './headers.ts'
import { inTurn, rewritten, takeTarget } from './table.ts'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Visit } from './headers.ts'
import type { GatewayHost } from './host.ts'
import type { Route, Target } from './table.ts'

type Upgrading = {
  readonly host: GatewayHost
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly route: Route
  readonly visit: Visit
}

/** Passes a request for a WebSocket to an instance of its service, and then the bytes of both sides until one of them ends. */
function passUpgrade(upgrading: Upgrading): void {
  const { request, route } = upgrading
  tryNext(upgrading, inTurn(route, readCookie(request.headers.cookie, ownCookies.sticky)))
}

function tryNext(upgrading: Upgrading, targets: Target[]): void {
  const taken = takeTarget(upgrading.host, targets)
  if (taken) connect(upgrading, taken.target, targets, taken.leave)
  else refuseUpgrade(upgrading.socket, 503)
}

function connect(upgrading: Upgrading, target: Target, others: Target[], leave: () => void): void {
  const { host, request, socket, head, route, visit } = upgrading
  const headers = { ...requestHeaders(request, visit), connection: 'Upgrade', upgrade: 'websocket' }
  const outgoing = send({ agent: false, host: '127.0.0.1', port: target.port, method: 'GET', path: rewritten(route, request.url ?? '/'), headers })
  const late = host.clock.after(route.timeout_ms, () => {
    outgoing.destroy()
    refuseUpgrade(socket, 504)
  })
  let answered = false
  const over = () => {
    late.cancel()
    leave()
  }
  socket.once('close', () => {
    over()
    outgoing.destroy()
  })
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    over()
    if (answered || socket.destroyed) return void socket.destroy()
    if (error.code === 'ECONNREFUSED') return tryNext(upgrading, others)
    refuseUpgrade(socket, 502)
  })
  outgoing.once('upgrade', (answer, other, first) => {
    answered = true
    late.cancel()
    other.on('error', () => socket.destroy()).once('close', () => socket.destroy())
    socket.once('close', () => other.destroy())
    socket.write(headText(101, { ...answerHeaders(answer), connection: 'Upgrade', upgrade: 'websocket' }))
    if (first.length > 0) socket.write(first)
    if (head.length > 0) other.write(head)
    other.pipe(socket)
    socket.pipe(other)
  })
  outgoing.once('response', (answer) => {
    answered = true
    late.cancel()
    socket.write(headText(answer.statusCode ?? 502, { ...answerHeaders(answer), connection: 'close' }))
    answer.on('error', () => socket.destroy())
    answer.pipe(socket)
  })
  outgoing.end()
}

/** Refuses to upgrade, and ends the connection. */
function refuseUpgrade(socket: Duplex, status: number): void {
  const text = refusalText(status)
  socket.end(
    headText(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text), connection: 'close' }) + text,
  )
}

const words: Readonly<Record<number, string>> = { 101: 'Switching Protocols' }

// The values were parsed by node, which refuses line breaks in them.
function headText(status: number, headers: OutgoingHttpHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((text) => `${name}: ${text}\r\n`))
  return `HTTP/1.1 ${status} ${words[status] ?? 'Answer'}\r\n${lines.join('')}\r\n`
}

export { passUpgrade, refuseUpgrade }
