import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Cuts connections on which nothing has moved for a while. One whose request is here as a whole and has no answer yet waits for us and not for its client
 * (a mirror is being copied): how long that may take is for the operation's own deadline to say.
 */
function endSilent(http: FastifyInstance, idleMs: number): void {
  const answering = new WeakMap<Socket, { readonly request: IncomingMessage; readonly response: ServerResponse }>()
  http.addHook('onRequest', (request, reply, done) => {
    answering.set(request.raw.socket, { request: request.raw, response: reply.raw })
    done()
  })
  http.server.setTimeout(idleMs)
  http.server.on('timeout', (socket: Socket) => {
    const current = answering.get(socket)
    const ours = current?.request.complete && !current.response.headersSent && !current.response.destroyed
    if (ours) socket.setTimeout(idleMs)
    else socket.destroy()
  })
}

export { endSilent }
