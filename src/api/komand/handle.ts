import { fault } from '../../core/kernel/fault.ts'
import { sendError, sendJson, sendPieces } from './answer.ts'
import { identifyCaller, identifyOpen } from './authenticate.ts'
import { readObject } from './body.ts'
import { match, splitTarget } from './path.ts'
import { requirePermission } from './permissions.ts'
import { Pieces } from './route.ts'
import { routes } from './routes.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Route } from './route.ts'

const via = 'komand'

/** Answers one request: route, caller, permission, body; what comes then is the operation's. */
async function handle(request: FastifyRequest, reply: FastifyReply, host: ApiHost): Promise<FastifyReply> {
  const told = { gone: false }
  try {
    const { path, query } = splitTarget(request.raw.url ?? '')
    const found = match(routes, request.method, path)
    if (!found) throw fault('route_not_found')
    if ('allowed' in found) {
      reply.header('allow', found.allowed.join(', '))
      throw fault('method_not_allowed', { method: request.method, allowed: found.allowed.join(', ') })
    }
    const { route, parameters } = found
    told.gone = route.gone === true
    const call = await callOf(request, host, route)
    const invoke = <Output>(operation: string, input: unknown) => host.invoke<Output>(call, operation, input)
    if (route.permission) await checkPermission(route, route.permission, invoke)
    const body = route.body === 'object' ? await readObject(request.raw) : {}
    const answer = await route.does({ parameters, query, body, call, host, invoke })
    return answer instanceof Pieces ? sendPieces(reply, answer.pieces) : sendJson(reply, answer)
  } catch (error) {
    return sendError(request, reply, host, error, told)
  }
}

async function callOf(request: FastifyRequest, host: ApiHost, route: Route): Promise<Call> {
  const origin = host.originOf(request, via)
  if (route.auth === 'none') return { principal: await host.identify({ form: 'none' }, origin), origin }
  if (route.auth === 'optional') return { principal: await identifyOpen(request, host, origin), origin }
  return { principal: await identifyCaller(request, host, origin), origin }
}

type Invoke = <Output>(operation: string, input: unknown) => Promise<Output>

// The order is the contract's (§20): a permission that is missing is told before a body that is broken or a thing that is hidden.
async function checkPermission(route: Route, permission: NonNullable<Route['permission']>, invoke: Invoke): Promise<void> {
  if (permission === 'APP' || permission === 'PRODUCT_KEY_VIEW') return
  const { system_permissions: held } = await invoke<{ system_permissions: string[] }>('session.get', {})
  requirePermission(permission, held, route.operations[0] ?? '')
}

export { handle }
