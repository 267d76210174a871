import { fault } from '../../core/kernel/fault.ts'
import { toFault } from '../to-fault.ts'
import { sendFault } from './errors.ts'
import { addHooks } from './hooks.ts'
import { addOperations } from './operations.ts'
import { addStreams } from './streams.ts'
import type { FastifyInstance } from 'fastify'
import type { Api, ApiHost } from '../api.ts'

/** Our own API: every operation under its name, two streams, and the document that describes them. */
export const native: Api = {
  name: 'native',
  segments: ['api'],
  ownsPath: (path) => path === '/api' || path.startsWith('/api/'),
  refuseUnmatched(request, reply, _host, why) {
    if (why) {
      sendFault(reply, why)
      return
    }
    const allowed = reply.getHeader('allow')
    sendFault(reply, allowed ? fault('method_not_allowed', { method: request.method, allowed }) : fault('route_not_found'))
  },
  register(http, host) {
    http.setErrorHandler((error, request, reply) => sendFault(reply, toFault(error, request, host.log)))
    takeJson(http)
    addOperations(http, host)
    addHooks(http, host)
    addStreams(http, host)
    addDocument(http, host)
  },
}

// An operation without input may be called without a body, whatever the content type says.
function takeJson(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser('error', 'error')
  http.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {})
    else parse(request, body as string, done) // parseAs above says that it is one
  })
}

function addDocument(http: FastifyInstance, host: ApiHost): void {
  let text: string | undefined
  http.get('/api/v1/openapi.json', async (_request, reply) => {
    if (text === undefined) {
      const { openApiDocument } = await import('./openapi.ts')
      text ??= JSON.stringify(openApiDocument(host.registry, { publicUrl: host.settings.publicUrl }))
    }
    // The same for everybody, and new only with a new server.
    return reply.header('cache-control', 'no-cache').type('application/json; charset=utf-8').send(text)
  })
}
