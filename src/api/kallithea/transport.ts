import { isFault } from '../../core/kernel/fault.ts'
import { readBody } from '../body.ts'
import { exactId, parseBody } from './body.ts'
import { answerOf, askedIn } from './dispatch.ts'
import { asciiJson } from './python.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../core/identity/principal.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { ApiHost } from '../api.ts'
import type { WrongKeys } from './wrong-keys.ts'

const via = 'kallithea'
const addresses = ['/_admin/api', '//_admin/api'] as const

type Server = { readonly host: ApiHost; readonly wrongKeys: WrongKeys }

/** Whether an address is this API's. */
function ownsPath(path: string): boolean {
  return (addresses as readonly string[]).includes(path)
}

/** Answers one request, in the order of the contract (§1 and §1.1). */
async function handle(request: FastifyRequest, reply: FastifyReply, server: Server): Promise<FastifyReply> {
  const query = new URL(request.raw.url ?? '', 'http://server').searchParams
  if (!['POST', 'GET', 'HEAD'].includes(request.method) || query.has('_method')) return sendText(reply, 405, 'Method not allowed')
  const origin = server.host.originOf(request, via)
  if (!(await allKeysHold(request, query, server, origin))) return sendText(reply, 403, 'Forbidden')
  // Executing is for POST (§15 D2, D22).
  if (request.method === 'HEAD') return send(reply, '')
  const { headers } = request
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
    return sendError(reply, null, 'No Content-Length in request')
  }
  const known = headers['transfer-encoding'] === undefined
  if (known && Number(headers['content-length']) === 0) return sendError(reply, null, 'Content-Length is 0')
  if (request.method === 'GET') return sendText(reply, 405, 'Method not allowed')
  return answerBody(request, reply, server, origin)
}

async function answerBody(request: FastifyRequest, reply: FastifyReply, { host, wrongKeys }: Server, origin: Origin): Promise<FastifyReply> {
  const body = await readBody(request.raw, request.routeOptions.bodyLimit)
  if (body.length === 0) return sendError(reply, null, 'Content-Length is 0')
  const parsed = parseBody(body)
  if ('error' in parsed) return sendError(reply, null, parsed.error)
  const asked = askedIn(parsed.value)
  const id = exactId(asked.id, parsed.text)
  if ('error' in asked) return sendError(reply, id, asked.error)
  const principal = await wrongKeys.guard(origin.peer, () => identifyKey(host, asked.key, origin))
  if (!principal) return sendError(reply, id, 'Invalid API key')
  const answer = await answerOf(host, { principal, origin }, asked)
  if ('error' in answer) return sendError(reply, id, answer.error)
  return send(reply, encoded({ id, result: answer.result, error: null }) ?? asciiJson({ id, result: null, error: 'Error encoding response' }))
}

// A key beside the body is no identity, but a wrong one ends everything (contract §1).
async function allKeysHold(request: FastifyRequest, query: URLSearchParams, { host, wrongKeys }: Server, origin: Origin): Promise<boolean> {
  const bearer = /^bearer\s+(.*)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim()
  const keys = [...(bearer === undefined ? [] : [bearer]), ...query.getAll('api_key')]
  for (const key of keys.slice(0, 3)) {
    if (!(await wrongKeys.guard(origin.peer, () => identifyKey(host, key, origin)))) return false
  }
  return true
}

async function identifyKey(host: ApiHost, key: unknown, origin: Origin): Promise<Principal | null> {
  if (typeof key !== 'string') return null
  try {
    return await host.identify({ form: 'api-key', secret: key, key: null }, origin)
  } catch (error) {
    if (isFault(error) && ['invalid_credential', 'account_inactive', 'network_refused'].includes(error.code)) return null
    throw error
  }
}

function encoded(answer: object): string | null {
  try {
    return asciiJson(answer)
  } catch {
    return null
  }
}

function sendError(reply: FastifyReply, id: unknown, error: string): FastifyReply {
  return send(reply, asciiJson({ id, result: null, error }))
}

function send(reply: FastifyReply, text: string): FastifyReply {
  reply.code(200).headers({ 'cache-control': 'no-cache', pragma: 'no-cache' })
  // As bytes, or the framework adds a charset to the type.
  return reply.header('content-type', 'application/json').send(Buffer.from(text))
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(`${text}\n`)
}

export type { Server }
export { addresses, ownsPath, handle, sendText }
