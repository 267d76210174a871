import type { Api } from '../api.ts'

/** For machines that watch: alive, ready, figures. Open to nobody in particular, so they name no user and no path. */
export const health: Api = {
  name: 'health',
  segments: ['healthz', 'readyz', 'metrics'],
  register(http, host) {
    // Some load balancers probe with HEAD; nothing changes by these.
    http.route({
      method: ['GET', 'HEAD'],
      url: '/healthz',
      handler: (_request, reply) => reply.type('application/json; charset=utf-8').send('{"status":"ok"}'),
    })
    http.route({
      method: ['GET', 'HEAD'],
      url: '/readyz',
      async handler(_request, reply) {
        const { ready, checks } = await host.health.readiness()
        const words = Object.fromEntries(Object.entries(checks).map(([part, good]) => [part, good ? 'ok' : 'failed']))
        return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks: words })
      },
    })
    http.get('/metrics', async (_request, reply) => {
      const { prometheusText } = await import('./prometheus.ts')
      const { text, contentType } = await prometheusText(host)
      return reply.type(contentType).send(text)
    })
  },
}
