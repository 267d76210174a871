import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { isObject } from '../../core/kernel/json.ts'
import { logOf } from './message.ts'
import { listenIn, shared } from './way-out.ts'
import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { PluginEvent } from '../../ports/plugin-host.ts'
import type { Door } from './way-out.ts'

/** Where one process of a trigger posts its events (contract §17). */
type Dispatcher = {
  readonly doors: readonly Door[]
  /** As the process reaches it. Who posts there is known by the unguessable path. */
  readonly url: string
  close(): void
}

const bodyLimit = 10 * 1024 * 1024
const port = 3129

/** Listens for the events of one trigger: on a socket in a folder of its sandbox, or on loopback where the network is not cut. */
async function openDispatcher(folder: string, { cut, onEvent }: { cut: boolean; onEvent(event: PluginEvent): Promise<void> }): Promise<Dispatcher> {
  const path = `/v2/dispatcher/trigger/${randomBytes(32).toString('hex')}`
  let before: Promise<unknown> = Promise.resolve()
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 30_000 }, (request, response) => {
    void receive(request, response, path, (event) => {
      // One after the other, in the order that they came.
      const done = before.then(() => onEvent(event))
      before = done.catch(() => {})
      return done
    })
  })
  server.on('clientError', (_, socket) => socket.destroy())
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  if (cut) {
    const release = await listenIn(folder, 'events.sock', (at) => ({ server, listening: listens(server, at) }))
    const doors = [{ way: 'out', from: String(port), to: `${shared}/events.sock` }] as const
    return {
      doors,
      url: `http://127.0.0.1:${port}${path}`,
      close() {
        server.closeAllConnections()
        release()
      },
    }
  }
  await listens(server, { host: '127.0.0.1', port: 0 })
  server.unref()
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The dispatcher has no port')
  return { doors: [], url: `http://127.0.0.1:${address.port}${path}`, close }
}

function listens(server: Server, where: string | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    if (typeof where === 'string') server.listen(where, resolve)
    else server.listen(where, resolve)
  })
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  onEvent: (event: PluginEvent) => Promise<void>,
): Promise<void> {
  const end = (status: number, body: JsonObject) => {
    if (!response.destroyed) response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
  }
  request.on('error', () => {})
  response.on('error', () => {})
  if (request.method !== 'POST' || request.url !== path) {
    request.resume()
    return end(404, { error: 'There is nothing here' })
  }
  const body = await bodyOf(request)
  if (body === null) return end(413, { error: 'The event is larger than 10 MiB' })
  const event = eventOf(body)
  if (event === null) return end(400, { error: 'The event is no message of a trigger' })
  try {
    await onEvent(event)
    end(200, {})
  } catch {
    end(503, { error: 'The event could not be kept' })
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > bodyLimit) return null
      chunks.push(chunk)
    }
  } catch {
    return ''
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An event has no status. Who it is from stands in the path, never in `meta`. */
function eventOf(text: string): PluginEvent | null {
  let value: Json
  try {
    value = JSON.parse(text) as Json // bounded; looked at member by member
  } catch {
    return null
  }
  const body = isObject(value) ? value.body : null
  if (!isObject(body) || !isObject(body.output)) return null
  return { output: body.output as JsonObject, log: logOf(body as JsonObject) } // read from JSON, so its members are
}

export type { Dispatcher }
export { openDispatcher }
