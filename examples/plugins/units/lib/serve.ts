import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { answer } from './message.ts'

/** Answers calls until it is ended. Where it listens stands in the same file that plugins in Python read: a unix socket, or an address. */
export function serve(port: number): void {
  const server = createServer(async (request, response) => {
    const end = (status: number, body: unknown) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const path = (request.url ?? '').replace(/^\/api\/v1/, '')
    if (request.method === 'GET' && path === '/status') return end(200, { status: 'Ready' })
    if (request.method === 'GET' && path === '/actions') return end(200, ['convert'])
    if (request.method === 'GET' && path === '/triggers') return end(200, ['count'])
    const [, name = '', test] = /^\/(?:actions|triggers)\/([^/]+)(\/test)?$/.exec(path) ?? []
    if (request.method !== 'POST' || name === '') return end(404, { error: 'There is nothing here' })
    const body = await text(request)
    if (body === '') return end(400, { error: 'Empty input provided' })
    let message: Parameters<typeof answer>[0]
    try {
      message = JSON.parse(body)
    } catch {
      return end(400, { error: 'The input is no JSON' })
    }
    const named = message.body?.action ?? message.body?.trigger
    if (named !== decodeURIComponent(name))
      return end(400, { error: `Action name (${String(named)}) in input body is not matching with name (${name}) in route` })
    const reply = answer(message, { test: test !== undefined })
    end(reply.body.status === 'ok' ? 200 : 500, reply)
  })
  const file = process.env.GUNICORN_CONFIG_FILE
  const bind = file ? String(JSON.parse(readFileSync(file, 'utf8')).bind) : `0.0.0.0:${port}`
  if (bind.startsWith('unix:')) server.listen(bind.slice('unix:'.length))
  else server.listen(Number(bind.split(':').at(-1)), bind.slice(0, bind.lastIndexOf(':')))
  process.on('SIGTERM', () => server.close(() => process.exit(0)))
}
