import { retryAfter } from '../retry-after.ts'
import { toFault } from '../to-fault.ts'
import { addresses, handle, ownsPath, sendText } from './transport.ts'
import { WrongKeys } from './wrong-keys.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Api, ApiHost } from '../api.ts'

/** Kallithea's JSON-RPC API (contract §1 to §11): one address, one object in and one out. */
const kallithea: Api = {
  name: 'kallithea',
  segments: ['_admin'],
  ownsPath,
  register(http, host) {
    const server = { host, wrongKeys: new WrongKeys({ clock: host.clock, stopping: host.stopping }) }
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      try {
        return await handle(request, reply, server)
      } catch (error) {
        return sendFailure(request, reply, host, error)
      }
    }
    // Any content type and none (contract §15 D1): the body is read by the handler, whatever it says to be.
    http.removeAllContentTypeParsers()
    http.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
    http.setErrorHandler((error, request, reply) => {
      const { code } = toFault(error, request, host.log)
      return code === 'unsupported_media_type' ? answer(request, reply) : sendFailure(request, reply, host, error)
    })
    // A whole gist comes in one body, and escaped.
    const bodyLimit = 5 * (http.initialConfig.bodyLimit ?? 1024 * 1024)
    for (const url of addresses) {
      http.route({ bodyLimit, method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], url, handler: answer })
    }
  },
  refuseUnmatched: (_request, reply) => void sendText(reply, 405, 'Method not allowed'),
}

// What is wrong with a request before there is a call in it: no error of the API, so a status of HTTP.
function sendFailure(request: FastifyRequest, reply: FastifyReply, host: ApiHost, error: unknown): FastifyReply {
  const fault = toFault(error, request, host.log)
  if (fault.retryAfterMs !== undefined) reply.header('retry-after', String(retryAfter(fault)))
  return sendText(reply, fault.status, fault.message)
}

export { kallithea }
