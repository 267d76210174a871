import { handleGit } from './routes.ts'
import type { Api } from '../api.ts'
import type { GitHttpOptions } from './routes.ts'

const defaults: GitHttpOptions = { bodyLimitBytes: 8 * 1024 ** 3, transferMs: 60 * 60 * 1000 }

/** Git over HTTP: clone, fetch and push of every repository under its path (Kallithea contract §12). */
function createGitHttp(options: Partial<GitHttpOptions> = {}): Api {
  const all = { ...defaults, ...options }
  return {
    name: 'git-http',
    segments: [],
    register(http, host) {
      // Bodies go to git as they come: no parser may hold one, whatever type it says.
      http.removeAllContentTypeParsers()
      http.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
      // Any path can be that of a repository, so this takes what no other route does, and passes on what is no address of git.
      http.route({
        method: ['GET', 'POST'],
        url: '/*',
        config: { streamsBody: true },
        handler: (request, reply) => handleGit(request, reply, host, all),
      })
    },
  }
}

const gitHttp: Api = createGitHttp()

export { createGitHttp, gitHttp }
