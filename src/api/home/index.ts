import { addSignIn } from './sign-in.ts'
import { pages } from './pages.ts'
import type { FastifyReply } from 'fastify'
import type { Api } from '../api.ts'

/** The page at `/` that says what runs here, and the page of the bootstrap link. */
export const home: Api = {
  name: 'home',
  segments: ['bootstrap', 'login', 'favicon.ico'],
  register(http, host) {
    http.get('/', (_request, reply) => sendPage(reply, pages.home))
    http.get('/bootstrap', (_request, reply) => sendPage(reply, pages.bootstrap))
    http.get('/bootstrap/form.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').send(pages.bootstrapScript))
    addSignIn(http, host)
    http.get('/favicon.ico', (_request, reply) => reply.code(204).send())
  },
}

// A page may use what is of this origin, and the one style that is named by its hash: nothing can be slipped in.
const pagePolicy = `default-src 'none'; script-src 'self'; style-src '${pages.styleHash}'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(html)
}
