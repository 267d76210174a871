import { toFault } from '../to-fault.ts'
import { sendError } from './answer.ts'
import { handle } from './handle.ts'
import { ownsPath } from './path.ts'
import { AnonymousRate } from './rate.ts'
import type { Api, ApiHost } from '../api.ts'

const addresses = ['/v1', '/v1/*', '/v2/task', '/v2/task/*', '/v2/pipeline', '/v2/pipeline/*', '/apps/deploy-api', '/apps/deploy-api/*']

// One count for the routes and for what the router passes by.
const rates = new WeakMap<ApiHost, AnonymousRate>()

function handlerOf(host: ApiHost) {
  const rate = rates.get(host) ?? new AnonymousRate(host.clock)
  rates.set(host, rate)
  return { host, rate }
}

/** The Deploy API ("TASK & PIPELINE: API"). Its own table finds the route, because the router would decode a path before it is split. */
export const datatask: Api = {
  name: 'datatask',
  segments: ['v1', 'v2', 'apps'],
  ownsPath,
  register(http, host) {
    const handler = handlerOf(host)
    // The body is read by `handle`, after the identity of its sender is known.
    http.removeAllContentTypeParsers()
    http.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
    http.setErrorHandler((error, request, reply) => {
      // A content type that cannot even be read: in its turn, after the identity.
      const { code } = toFault(error, request, host.log)
      return code === 'unsupported_media_type' ? handle(request, reply, handler) : sendError(request, reply, host, error)
    })
    for (const url of addresses) http.all(url, (request, reply) => handle(request, reply, handler))
  },
  refuseUnmatched: async (request, reply, host) => {
    await handle(request, reply, handlerOf(host))
  },
}
