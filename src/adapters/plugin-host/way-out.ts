import { openSync, closeSync, chmodSync, constants } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { EgressProxy } from '../../ports/egress.ts'

/** One way through the wall of a sandbox: `out` from a port inside to a socket of the server, `in` from a socket to a port inside. */
type Door = { readonly way: 'out' | 'in'; readonly from: string; readonly to: string }

type WayOut = {
  readonly doors: readonly Door[]
  readonly environment: Readonly<Record<string, string>>
  close(): void
}

const port = 3128
// Where a sandbox shows the folder that both sides see.
const shared = '/home/task'

/**
 * How a process of a plugin reaches the world: through our checking proxy, and where the network is cut there is no other way. The socket of the proxy is
 * laid into `folder`, which the process sees.
 */
async function openWayOut(proxy: EgressProxy, { folder, cut }: { folder: string; cut: boolean }): Promise<WayOut> {
  const pass = await proxy.open({ host: '*', purpose: 'plugin' }, { limitBytes: Number.MAX_SAFE_INTEGER })
  if (!cut) return { doors: [], environment: variables(`http://${pass.user}:${pass.password}@${pass.host}:${pass.port}`), close: () => pass.close() }
  const close = await listenIn(folder, 'proxy.sock', (path) => {
    const server = createServer({ allowHalfOpen: true }, (one) => {
      const other = connect({ host: pass.host, port: pass.port, allowHalfOpen: true })
      const end = () => {
        one.destroy()
        other.destroy()
      }
      one.on('error', end)
      other.on('error', end)
      one.pipe(other)
      other.pipe(one)
    })
    return { server, listening: new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve)) }
  })
  return {
    doors: [{ way: 'out', from: String(port), to: `${shared}/proxy.sock` }],
    environment: variables(`http://${pass.user}:${pass.password}@127.0.0.1:${port}`),
    close() {
      pass.close()
      close()
    },
  }
}

type Listening = { readonly server: { close(): unknown; unref(): unknown }; readonly listening: Promise<void> }

/** Listens on a socket in a folder, whose path may be longer than sockets take. Everybody who may enter the folder may use it. */
async function listenIn(folder: string, name: string, make: (path: string) => Listening): Promise<() => void> {
  const directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  const path = `/proc/self/fd/${directory}/${name}`
  const { server, listening } = make(path)
  try {
    await listening
    chmodSync(path, 0o666)
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

function variables(proxy: string): Record<string, string> {
  const names = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy }
  return { ...names, NO_PROXY: 'localhost,127.0.0.1', no_proxy: 'localhost,127.0.0.1', NODE_USE_ENV_PROXY: '1' }
}

export type { Door, WayOut }
export { openWayOut, listenIn, shared }
