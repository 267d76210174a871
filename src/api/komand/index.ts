import { toFault } from '../to-fault.ts'
import { sendError } from './answer.ts'
import { handle } from './handle.ts'
import { addJobPage } from './job-page.ts'
import { ownsPath, segments } from './path.ts'
import type { Api } from '../api.ts'

const addresses = segments.flatMap((segment) => [`/v2/${segment}`, `/v2/${segment}/*`])

/** The Komand v2 API. Its own table finds the route, because a slash at the end is tolerated and a path is split before it is decoded. */
export const komand: Api = {
  name: 'komand',
  segments: ['v2', 'jobs'],
  ownsPath,
  register(http, host) {
    // The body is read by `handle`, as JSON whatever its type, after the caller is known.
    http.removeAllContentTypeParsers()
    http.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
    http.setErrorHandler((error, request, reply) => {
      const { code } = toFault(error, request, host.log)
      return code === 'unsupported_media_type' ? handle(request, reply, host) : sendError(request, reply, host, error)
    })
    for (const url of addresses) http.all(url, (request, reply) => handle(request, reply, host))
    addJobPage(http, host)
  },
  refuseUnmatched: async (request, reply, host, why) => {
    if (why) sendError(request, reply, host, why)
    else await handle(request, reply, host)
  },
}
