import { chmodSync, closeSync, constants, fstatSync, openSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import type { EgressPass, EgressProxy } from '../../ports/egress.ts'

/** One way through the wall of a sandbox: `out` from a port inside to a socket of the server, `in` from a socket to a port inside. */
type Door = { readonly way: 'out' | 'in'; readonly from: string; readonly to: string }

type WayOut = {
  readonly doors: readonly Door[]
  readonly environment: Readonly<Record<string, string>>
  /** What a later server opens it again by. Holds no secret. */
  readonly again: Again
  close(): void
}

/** A way out of an earlier server: what its pass is known by, whether the network was cut, and the port of loopback that it began at where it was not. */
type Again = { readonly mark: string; readonly cut: boolean; readonly port: number }

const port = 3128
const pathOnly = 0o10000000 // O_PATH: Linux's alone, so not among Node's constants
// Where a sandbox shows the folder that both sides see.
const shared = '/home/task'

/**
 * How a process of a plugin reaches the world: through our checking proxy, and where the network is cut there is no other way. The socket of the proxy is
 * laid into `folder`, which the process sees. `again`: for a process that has begun under an earlier server, and keeps what it was told then.
 */
async function openWayOut(proxy: EgressProxy, { folder, cut, again }: { folder: string; cut: boolean; again?: Omit<Again, 'cut'> }): Promise<WayOut> {
  const pass = await proxy.open({ host: '*', purpose: 'plugin' }, { limitBytes: Number.MAX_SAFE_INTEGER, ...(again ? { mark: again.mark } : {}) })
  const common = { again: { mark: pass.mark, cut, port: again?.port ?? pass.port } }
  if (!cut) {
    const close = again ? keepPort(again.port, pass) : () => {}
    return {
      ...{ ...common, doors: [], environment: variables(`http://${pass.user}:${pass.password}@${pass.host}:${pass.port}`) },
      close() {
        pass.close()
        close()
      },
    }
  }
  try {
    const close = await listenIn(folder, 'proxy.sock', (path) => {
      const server = carrier(pass)
      return { server, listening: new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve)) }
    })
    return {
      ...common,
      doors: [{ way: 'out', from: String(port), to: `${shared}/proxy.sock` }],
      environment: variables(`http://${pass.user}:${pass.password}@127.0.0.1:${port}`),
      close() {
        pass.close()
        close()
      },
    }
  } catch (error) {
    pass.close()
    throw error
  }
}

/** Carries what comes in to the proxy. */
function carrier({ host, port: to }: Pick<EgressPass, 'host' | 'port'>): Server {
  return createServer({ allowHalfOpen: true }, (one) => {
    const other = connect({ host, port: to, allowHalfOpen: true })
    const end = () => {
      one.destroy()
      other.destroy()
    }
    one.on('error', end)
    other.on('error', end)
    one.pipe(other)
    other.pipe(one)
  })
}

type Kept = { readonly server: Server; users: number }
const oldPorts = new Map<number, Kept>()

/** Keeps the port of an earlier server's proxy open for who was told it. Where somebody else has it meanwhile, there is no way out for them. */
function keepPort(old: number, pass: Pick<EgressPass, 'host' | 'port'>): () => void {
  if (old === pass.port) return () => {}
  const kept = oldPorts.get(old) ?? { server: carrier(pass), users: 0 }
  if (kept.users === 0)
    kept.server
      .on('error', () => {})
      .listen({ host: '127.0.0.1', port: old })
      .unref()
  kept.users += 1
  oldPorts.set(old, kept)
  return () => {
    kept.users -= 1
    if (kept.users > 0) return
    kept.server.close()
    oldPorts.delete(old)
  }
}

type Listening = { readonly server: { close(): unknown; unref(): unknown }; readonly listening: Promise<void> }

/**
 * Listens on a socket in a folder, whose path may be longer than sockets take. Everybody who may enter the folder may use it. What an earlier server has left
 * there under that name goes. The folder may be a living plugin's: no name in it is followed.
 */
async function listenIn(folder: string, name: string, make: (path: string) => Listening): Promise<() => void> {
  const directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  const path = `/proc/self/fd/${directory}/${name}`
  try {
    rmSync(path, { force: true })
    const { server, listening } = make(path)
    await listening
    openToAll(path)
    server.unref()
    return () => {
      // The socket is removed by its path while the server closes: until then the number must mean this folder.
      server.close()
      closeSync(directory)
    }
  } catch (error) {
    closeSync(directory)
    throw error
  }
}

// By its name a plugin could have us change the mode of any other file.
function openToAll(path: string): void {
  const socket = openSync(path, pathOnly | constants.O_NOFOLLOW)
  try {
    if (fstatSync(socket).isSocket()) chmodSync(`/proc/self/fd/${socket}`, 0o666)
  } finally {
    closeSync(socket)
  }
}

function variables(proxy: string): Record<string, string> {
  const names = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy }
  return { ...names, NO_PROXY: 'localhost,127.0.0.1', no_proxy: 'localhost,127.0.0.1', NODE_USE_ENV_PROXY: '1' }
}

export type { Door, WayOut, Again }
export { openWayOut, listenIn, shared, pathOnly }
