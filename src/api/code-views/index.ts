import { toFault } from '../to-fault.ts'
import { looksLikeView } from './address.ts'
import { refuseFault } from './errors.ts'
import { handleGist } from './gists.ts'
import { handleView } from './views.ts'
import type { Api } from '../api.ts'

/** Files, diffs, patches and archives of repositories, and texts of gists, by address (Kallithea contract §12.5 and §12.6): bytes and text, never a page. */
const codeViews: Api = {
  name: 'code-views',
  segments: ['_admin'],
  register(http, host) {
    http.setErrorHandler((error, request, reply) => refuseFault(reply, toFault(error, request, host.log)))
    // Repositories are at any depth, so the word that makes an address one of a view can be anywhere in it. What git and hg ask for is theirs.
    http.addConstraintStrategy({
      name: 'codeView',
      storage: () => {
        const handlers = new Map<unknown, unknown>()
        return {
          get: (key: unknown) => (handlers.get(key) as never) ?? null,
          set: (key: unknown, handler: unknown) => void handlers.set(key, handler),
        }
      },
      deriveConstraint: (request) =>
        looksLikeView(request.url ?? '') && !request.headers.accept?.startsWith('application/mercurial') ? 'yes' : undefined,
      validate: () => {},
    })
    http.route({ method: 'GET', url: '/*', constraints: { codeView: 'yes' }, handler: (request, reply) => handleView(request, reply, host) })
    for (const url of ['/_admin/gists/:access_id', '/_admin/gists/:access_id/:revision/raw', '/_admin/gists/:access_id/:revision/raw/:file'])
      http.get(url, (request, reply) => handleGist(request, reply, host))
  },
}

export { codeViews }
