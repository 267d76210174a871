import { callOf } from './credentials.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'

type HookRoute = { Params: { trigger: string } }

// Ours, and the one that many senders use.
const signatureNames = ['x-capstan-signature', 'x-hub-signature-256'] as const

/** `POST /api/v1/hooks/<trigger>`: where others post to a trigger of type `webhook`. Who they are is the signature's to say (docs/triggers.md). */
function addHooks(http: FastifyInstance, host: ApiHost): void {
  void http.register((scope, _options, done) => {
    // The signature is over the bytes as they came, so nobody may read them as anything else before it was checked.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body))
    scope.post<HookRoute>('/api/v1/hooks/:trigger', async (request, reply) => {
      const call = await callOf(request, reply, host, { form: 'none' })
      const timestamp = header(request, 'x-capstan-timestamp')
      const input = {
        trigger: request.params.trigger,
        signature: signatureNames.map((name) => header(request, name)).find((value) => value !== '') ?? '',
        ...(timestamp === '' ? {} : { timestamp }),
        body: typeof request.body === 'string' ? request.body : '',
      }
      return reply.send(await host.invoke(call, 'trigger.receive-webhook', input))
    })
    done()
  })
}

function header(request: FastifyRequest, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}

export { addHooks }
