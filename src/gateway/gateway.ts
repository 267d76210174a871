import { createServer } from 'node:http'
import { clientAddress } from '../api/client-address.ts'
import { isNavigation, redirect, refuse } from './answer.ts'
import { createAgent, pass } from './proxy.ts'
import { sendToSignIn, signedInPath, takeOver } from './sign-in.ts'
import { RouteTable } from './table.ts'
import { passUpgrade, refuseUpgrade } from './upgrade.ts'
import { Visitors } from './visitor.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Visit } from './headers.ts'
import type { GatewayHost } from './host.ts'
import type { Route } from './table.ts'

const seconds = 1000
const closeWithinMs = 4 * seconds
const longestUrl = 8192
const tryAgainMs = 1000

/**
 * The listener of published services: an origin of its own, so that a page of a service can do nothing in the name of its visitor on the platform.
 *
 * Life: made → `listen` (knows all routes when it resolves) → `close` (takes nothing new, lets what is under way finish for a few seconds).
 */
class Gateway {
  readonly #host: GatewayHost
  readonly #visitors: Visitors
  readonly #server: Server
  readonly #agent = createAgent()
  readonly #closing = new AbortController()
  readonly #addressOf: (request: IncomingMessage) => string
  readonly #upgraded = new Set<Duplex>()
  #table: RouteTable
  #following: Promise<void> = Promise.resolve()

  constructor(host: GatewayHost) {
    this.#host = host
    this.#visitors = new Visitors(host)
    this.#addressOf = clientAddress(host.trustedProxies)
    this.#table = new RouteTable(host, [])
    this.#server = createServer({
      maxHeaderSize: 32 * 1024,
      headersTimeout: 15 * seconds,
      requestTimeout: 3600 * seconds,
      keepAliveTimeout: 65 * seconds,
    })
    this.#server.on('request', (request, response) => this.#run(response, () => this.#answer(request, response)))
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy())
      this.#upgrade(request, socket, head).catch((error: unknown) => {
        host.log.error('gateway.upgrade_failed', { error })
        refuseUpgrade(socket, 500)
      })
    })
  }

  /** Opens the port, and gives the one that was taken. */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    await this.#follow()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host, port }, resolve)
    await promise
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The gateway stops'))
    const { promise, resolve } = Promise.withResolvers<void>()
    // Also told of a server that never listened.
    this.#server.close(() => resolve())
    this.#server.closeIdleConnections()
    for (const socket of this.#upgraded) socket.destroy()
    const cut = this.#host.clock.after(closeWithinMs, () => this.#server.closeAllConnections())
    await promise
    cut.cancel()
    this.#agent.destroy()
    await this.#following
  }

  // Resolves with the first table; each later one takes the place of that before.
  #follow(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const follow = async (): Promise<void> => {
      while (!this.#closing.signal.aborted) {
        try {
          for await (const routes of this.#host.routes(this.#closing.signal)) {
            this.#table = new RouteTable(this.#host, routes)
            resolve()
          }
        } catch (error) {
          this.#host.log.error('gateway.routes_unknown', { error })
          await new Promise<void>((done) => this.#host.clock.after(tryAgainMs, done))
        }
      }
      resolve()
    }
    this.#following = follow()
    return promise
  }

  #run(response: ServerResponse, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.#host.log.error('gateway.failed', { error })
      refuse(response, 500)
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    // An absolute address is for a proxy of another kind.
    if (!url.startsWith('/') || url.length > longestUrl || method === 'CONNECT' || method === 'TRACE') return refuse(response, 400)
    const path = pathOf(url)
    const peer = this.#addressOf(request)
    if (path === signedInPath) return takeOver(this.#host, request, response, peer)
    const route = this.#table.find(path)
    if (!route) return this.#table.lacksSlash(path) ? redirect(response, 308, `${path}/${url.slice(path.length)}`) : refuse(response, 404)
    const visitor = await this.#visitors.admit(request, route, peer)
    if (visitor === 'sign_in') return isNavigation(request) ? sendToSignIn(this.#host, request, response) : refuse(response, 401)
    if (visitor === 'forbidden') return refuse(response, 403)
    pass({ host: this.#host, agent: this.#agent, request, response, route, visit: { ...visitor, ...this.#about(route, peer) } })
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { url = '' } = request
    if (request.method !== 'GET' || request.headers.upgrade?.toLowerCase() !== 'websocket' || !url.startsWith('/')) return refuseUpgrade(socket, 400)
    const peer = this.#addressOf(request)
    const route = this.#table.find(pathOf(url))
    if (!route || this.#closing.signal.aborted) return refuseUpgrade(socket, 404)
    const visitor = await this.#visitors.admit(request, route, peer)
    if (visitor === 'sign_in') return refuseUpgrade(socket, 401)
    if (visitor === 'forbidden') return refuseUpgrade(socket, 403)
    this.#upgraded.add(socket)
    socket.once('close', () => this.#upgraded.delete(socket))
    passUpgrade({ host: this.#host, request, socket, head, route, visit: { ...visitor, ...this.#about(route, peer) } })
  }

  #about({ prefix }: Route, peer: string): Pick<Visit, 'peer' | 'scheme' | 'prefix'> {
    return { peer, scheme: this.#host.gatewayUrl.startsWith('https:') ? 'https' : 'http', prefix }
  }
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

export { Gateway }
