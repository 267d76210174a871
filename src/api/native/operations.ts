import { isObject } from '../../core/kernel/json.ts'
import { signalOf } from '../sse.ts'
import { callOf, clearSession, giveSession } from './credentials.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../core/identity/credential.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'

type OperationRoute = { Params: { operation: string } }

// Whoever signs in does so because of what the cookie is no longer good for: an ended one must not be in the way.
const cookieless: ReadonlySet<string> = new Set(['session.create', 'bootstrap.redeem', 'user.register'])

// Their output is a new session.
const signIns: ReadonlySet<string> = new Set(['session.create', 'bootstrap.redeem'])

/** `POST /api/v1/<operation>`: the one route of all operations. */
function addOperations(http: FastifyInstance, host: ApiHost): void {
  http.post<OperationRoute>('/api/v1/:operation', async (request, reply) => {
    const { operation } = request.params
    const call = await caller(request, reply, host)
    const output = await host.invoke(call, operation, request.body ?? {})
    if (signIns.has(operation) && isObject(output)) rememberSession(reply, host, output)
    if (operation === 'session.delete') clearSession(reply, host.settings)
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(output))
  })
}

async function caller(request: FastifyRequest<OperationRoute>, reply: FastifyReply, host: ApiHost): Promise<Call> {
  const { operation } = request.params
  const nobody: Credential | undefined = cookieless.has(operation) && request.headers.authorization === undefined ? { form: 'none' } : undefined
  const call = await callOf(request, reply, host, nobody)
  // Only what reaches outside is worth stopping half way; for the rest a signal would cost more than it saves.
  return host.registry.get(operation)?.effect === 'act' ? { ...call, signal: signalOf(reply, host.stopping) } : call
}

function rememberSession(reply: FastifyReply, host: ApiHost, output: Record<string, unknown>): void {
  const { token, expires_at: expiresAt } = output
  if (typeof token === 'string' && typeof expiresAt === 'string') giveSession(reply, host, { token, expiresAt })
}

export { addOperations }
