import { createHash, randomBytes } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isFault } from '../../core/kernel/fault.ts'
import type { Log } from '../../core/kernel/log.ts'
import type { Egress, EgressAnywhere, EgressDestination, EgressPass, EgressProxy } from '../../ports/egress.ts'

type Pass = {
  readonly destination: EgressDestination | EgressAnywhere
  readonly sockets: Set<Duplex>
  left: number
  refused: string | null
}

type Target = { readonly host: string; readonly port: number }

const user = 'capstan'
const connectMs = 15_000
const idleMs = 120_000
const httpsPort = 443

// Headers that speak to a proxy, or about one connection: never for the other end.
const hopByHop = new Set(['proxy-authorization', 'proxy-connection', 'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/**
 * The checking proxy: CONNECT and requests in absolute form, on a port of loopback that opens with the first pass. Without a pass's secret nothing is
 * answered but 407; with it only the pass's host is reached, on its port or on the one of https, at an address that the guard allowed just then.
 */
function createEgressProxy(options: { egress: Egress; log: Pick<Log, 'debug' | 'warn'> }): EgressProxy {
  const { egress, log } = options
  const passes = new Map<string, Pass>()
  const clients = new Set<Socket>()
  let listening: Promise<Server> | null = null

  function listen(): Promise<Server> {
    listening ??= new Promise((resolve, reject) => {
      const server = createServer({ maxHeaderSize: 32 * 1024 }, (request, response) => void forward(request, response))
      server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => void tunnel(request, client, head))
      server.on('connection', (socket) => {
        clients.add(socket)
        socket.on('close', () => clients.delete(socket))
        socket.on('error', () => {})
      })
      server.on('clientError', (_, socket) => socket.destroy())
      server.once('error', (error) => {
        listening = null
        reject(error)
      })
      server.listen(0, '127.0.0.1', () => resolve(server))
      server.unref()
    })
    return listening
  }

  function passOf(request: IncomingMessage): Pass | null {
    const header = request.headers['proxy-authorization'] ?? ''
    const [scheme, text = ''] = header.split(' ')
    if (scheme?.toLowerCase() !== 'basic') return null
    const plain = Buffer.from(text, 'base64').toString('latin1')
    return plain.startsWith(`${user}:`) ? (passes.get(markOf(plain.slice(user.length + 1))) ?? null) : null
  }

  function refuse(pass: Pass, why: string): void {
    pass.refused ??= why
    log.warn('egress.refused', { purpose: pass.destination.purpose, host: pass.destination.host, why })
  }

  /** A connection to the target that counts what comes in against the pass; null when it may not be, or cannot be made. */
  async function dial(pass: Pass, { host, port }: Target): Promise<Socket | 'refused' | 'unreachable'> {
    const { destination } = pass
    if (!leadsTo(destination, { host, port })) {
      refuse(pass, 'it was led to another host')
      return 'refused'
    }
    let addresses: string[]
    try {
      addresses = await egress.resolve(host, destination.purpose)
    } catch (error) {
      if (!isFault(error, 'egress_refused')) throw error
      refuse(pass, 'its address may not be called')
      return 'refused'
    }
    for (const address of addresses) {
      const socket = await connected(address, port)
      if (socket === null) continue
      // The address that was judged is the one that was dialled; seen once more, because it costs nothing.
      if (!egress.allows(socket.remoteAddress ?? '', destination.purpose)) {
        socket.destroy()
        refuse(pass, 'its address may not be called')
        return 'refused'
      }
      pass.sockets.add(socket)
      socket.on('close', () => pass.sockets.delete(socket))
      socket.on('data', (chunk: Buffer) => {
        pass.left -= chunk.length
        if (pass.left < 0 && !socket.destroyed) {
          refuse(pass, 'it sent more than is taken')
          socket.destroy()
        }
      })
      socket.pause()
      return socket
    }
    return 'unreachable'
  }

  async function tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on('error', () => client.destroy())
    const pass = passOf(request)
    if (!pass)
      return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="capstan"\r\nContent-Length: 0\r\n\r\n')
    const target = authorityOf(request.url ?? '')
    // A tunnel is for TLS: through one to the port of plain http, a proxy that reads could be walked around.
    const may = target !== null && (isAnywhere(pass.destination) || pass.destination.scheme === 'https' || target.port === httpsPort)
    if (!may) refuse(pass, 'it was led to another place')
    const remote = may ? await dial(pass, target).catch(() => 'unreachable' as const) : 'refused'
    if (remote === 'refused') return void client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    if (remote === 'unreachable') return void client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
    if (client.destroyed) return void remote.destroy()
    pass.sockets.add(client)
    client.on('close', () => {
      pass.sockets.delete(client)
      remote.destroy()
    })
    remote.on('close', () => client.destroy())
    remote.on('error', () => client.destroy())
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) remote.write(head)
    remote.pipe(client)
    client.pipe(remote)
  }

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    const end = (status: number, headers: Record<string, string> = {}) => {
      response.writeHead(status, { connection: 'close', 'content-length': '0', ...headers }).end()
    }
    const pass = passOf(request)
    if (!pass) return end(407, { 'proxy-authenticate': 'Basic realm="capstan"' })
    const url = absoluteOf(request.url ?? '')
    if (!url || !(isAnywhere(pass.destination) || pass.destination.scheme === 'http')) {
      refuse(pass, 'it was led to another place')
      return end(403)
    }
    const remote = await dial(pass, { host: url.hostname, port: Number(url.port || 80) }).catch(() => 'unreachable' as const)
    if (remote === 'refused') return end(403)
    if (remote === 'unreachable') return end(502)
    const onward = httpRequest({
      createConnection: () => remote,
      method: request.method ?? 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { ...passedOn(request.headers), host: url.host, connection: 'close' },
      setHost: false,
    })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, { ...passedOn(answer.headers), connection: 'close' })
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    onward.on('error', () => {
      if (response.headersSent) response.destroy()
      else end(502)
    })
    response.on('close', () => remote.destroy())
    request.on('error', () => remote.destroy())
    remote.resume()
    request.pipe(onward)
  }

  return {
    async open(destination, { limitBytes, mark: known }) {
      const server = await listen()
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('The proxy of child programs has no port')
      const password = known === undefined ? randomBytes(32).toString('hex') : ''
      const mark = known ?? markOf(password)
      const pass: Pass = { destination, sockets: new Set(), left: limitBytes, refused: null }
      passes.set(mark, pass)
      return {
        host: '127.0.0.1',
        port: address.port,
        user,
        password,
        mark,
        refused: () => pass.refused,
        close() {
          passes.delete(mark)
          for (const socket of pass.sockets) socket.destroy()
        },
      } satisfies EgressPass
    },
    async close() {
      passes.clear()
      const server = await listening?.catch(() => null)
      for (const socket of clients) socket.destroy()
      if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

// Of 256 random bits: nobody guesses one, or finds what it stands for.
function markOf(password: string): string {
  return createHash('sha256').update(password).digest('hex')
}

function connected(host: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.setTimeout(connectMs, () => socket.destroy())
    const failed = () => resolve(null)
    socket.once('error', failed)
    socket.once('close', failed)
    socket.once('connect', () => {
      socket.off('close', failed)
      socket.setTimeout(idleMs)
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
  })
}

function passedOn(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  // What the connection header names is about this connection only.
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.has(name)))
}

function authorityOf(text: string): Target | null {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text)
  return match?.[1] && match[2] ? { host: match[1], port: Number(match[2]) } : null
}

function absoluteOf(text: string): URL | null {
  const url = text.startsWith('http://') ? URL.parse(text) : null
  return url?.protocol === 'http:' ? url : null
}

function isAnywhere(destination: EgressDestination | EgressAnywhere): destination is EgressAnywhere {
  return destination.host === '*'
}

function leadsTo(destination: EgressDestination | EgressAnywhere, { host, port }: Target): boolean {
  if (isAnywhere(destination)) return true
  return sameHost(host) === sameHost(destination.host) && (port === destination.port || port === httpsPort)
}

function sameHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}

export { createEgressProxy }
