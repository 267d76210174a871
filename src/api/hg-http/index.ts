import { handleHg } from './routes.ts'
import type { Api } from '../api.ts'
import type { HgHttpOptions } from './routes.ts'

const defaults: HgHttpOptions = { bodyLimitBytes: 8 * 1024 ** 3, transferMs: 60 * 60 * 1000 }

/** Mercurial over HTTP: clone, pull and push of every Mercurial repository under its path (Kallithea contract §12). */
function createHgHttp(options: Partial<HgHttpOptions> = {}): Api {
  const all = { ...defaults, ...options }
  return {
    name: 'hg-http',
    segments: [],
    register(http, host) {
      // Its addresses are those of the repositories themselves, which pages and other APIs have as well: the Accept header tells them apart.
      http.addConstraintStrategy({
        name: 'mercurial',
        storage: () => {
          const handlers = new Map<unknown, unknown>()
          return {
            get: (key: unknown) => (handlers.get(key) as never) ?? null,
            set: (key: unknown, handler: unknown) => void handlers.set(key, handler),
          }
        },
        deriveConstraint: (request) => (request.headers.accept?.startsWith('application/mercurial') ? 'yes' : undefined),
        validate: () => {},
      })
      // Bodies go to hg as they come: no parser may hold one, whatever type it says.
      http.removeAllContentTypeParsers()
      http.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
      http.route({
        method: ['GET', 'POST'],
        url: '/*',
        constraints: { mercurial: 'yes' },
        config: { streamsBody: true },
        handler: (request, reply) => handleHg(request, reply, host, all),
      })
    },
  }
}

const hgHttp: Api = createHgHttp()

export { createHgHttp, hgHttp }
