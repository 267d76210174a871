import { fault, isFault } from '../../src/core/kernel/fault.ts'
import { isObject } from '../../src/core/kernel/json.ts'
import type { FastifyRequest } from 'fastify'
import type { Api, ApiHost } from '../../src/api/api.ts'
import type { Call } from '../../src/core/operation/invoke.ts'
import type { Fault, FaultCode } from '../../src/core/kernel/fault.ts'

// Komand contract §6.1: the job is durable and readable before the answer. Workflows are not built, so a repository's pipeline stands for one.
export const komand: Api = {
  name: 'komand',
  segments: ['v2'],
  register(http, host) {
    http.post<{ Params: { uid: string } }>('/v2/workflows/:uid/events', async (request, reply) => {
      try {
        const call = await callOf(request, host)
        const run = await host.invoke<{ id: string }>(call, 'pipeline.run', decodeEvent(request.params.uid, request.body ?? {}, request.id))
        return { job_id: run.id, job_url: `${host.settings.publicUrl}/jobs/details/${run.id}`, message: 'event published to queue' }
      } catch (error) {
        if (!isFault(error)) throw error
        const { status, body } = encodeFault(error)
        return reply.code(status).send(body)
      }
    })
  },
}

// §3.2: the bearer token, else the cookie `jwt`.
async function callOf(request: FastifyRequest, host: ApiHost): Promise<Call> {
  const origin = host.originOf(request, 'komand')
  const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const cookie = /(?:^|; *)jwt=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
  const credential = token ? ({ form: 'bearer', token } as const) : cookie ? ({ form: 'cookie', token: cookie } as const) : null
  if (!credential) throw fault('unauthenticated')
  return { principal: await host.identify(credential, origin), origin }
}

// The members of the event are its variables (§6.1); this stand-in reads none of them. Pipelines that run have different names, jobs need none.
function decodeEvent(uid: string, event: unknown, name: string) {
  if (!isObject(event)) throw fault('malformed_request', { why: 'the event is not a JSON object' })
  return { repository: uid, directory: 'on-event', namespace: 'events', name }
}

// §4
const statuses: Partial<Record<FaultCode, readonly [number, string]>> = {
  malformed_request: [400, 'BAD_REQUEST'],
  unauthenticated: [401, 'UNAUTHORIZED'],
  invalid_credential: [401, 'UNAUTHORIZED'],
  forbidden: [403, 'ACCESS_DENIED'],
  not_found: [404, 'NOT_FOUND'],
}

function encodeFault(fault: Fault) {
  const [status, word] = statuses[fault.code] ?? [500, 'INTERNAL']
  const text = status === 403 ? 'checkpermission: You do not have the right permissions to access this resource' : fault.message
  return { status, body: { message: status === 500 ? 'Internal error' : text, status: word } }
}
