import { fault, isFault } from '../../core/kernel/fault.ts'
import { admit, findHosted, goneSignal } from '../hosting/admit.ts'
import { sendStream } from '../hosting/answer.ts'
import { refusalOf, refuse } from '../hosting/errors.ts'
import { parseAddress, serviceOf } from './address.ts'
import { bodyOf, isKnownEncoding } from './body.ts'
import { gitRefusals } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Transfer } from '../../core/repository/transfer.ts'
import type { ApiHost } from '../api.ts'
import type { Refusal } from '../hosting/errors.ts'
import type { Address, Service } from './address.ts'
import type { Body } from './body.ts'

type GitHttpOptions = {
  /** Most bytes of a request's body, unpacked. */
  readonly bodyLimitBytes: number
  /** How long one request may take from its first byte to the last of its answer. */
  readonly transferMs: number
}

/** Answers one request of git; what is no address of git goes to whoever answers the rest. */
async function handleGit(request: FastifyRequest, reply: FastifyReply, host: ApiHost, options: GitHttpOptions): Promise<unknown> {
  const address = parseAddress(request.raw.url ?? '')
  if (address === null) return reply.callNotFound()
  const refusal = await serveGit(request, reply, host, options, address).catch((error: unknown) => errorOf(error))
  // An answer that has begun cannot become a refusal, also where the client went away in the middle of it.
  if (reply.sent || reply.raw.headersSent) return reply
  return refusal ? refuse(reply, refusal) : reply
}

// What is no fault is a defect: the host logs it and answers.
function errorOf(error: unknown): Refusal {
  if (isFault(error)) return refusalOf(error)
  throw error
}

async function serveGit(
  request: FastifyRequest,
  reply: FastifyReply,
  host: ApiHost,
  options: GitHttpOptions,
  address: Address,
): Promise<Refusal | null> {
  const origin = host.originOf(request, 'git-http')
  const found = await findHosted(host, origin, 'git', address.path)
  if ('status' in found) return found
  const refusal = wrongMethod(request.method, address)
  if (refusal) return refusal
  const service = address.suffix === 'info/refs' ? serviceOf(address.query) : address.suffix === 'git-upload-pack' ? 'upload-pack' : 'receive-pack'
  if (service === null) return gitRefusals.noService
  const admission = await admit(request, host, found, service === 'upload-pack' ? 'pull' : 'push')
  if ('status' in admission) return admission
  const call = { principal: admission.principal, origin, signal: goneSignal(reply), deadlineMs: options.transferMs }
  const input = { repository: admission.repository, protocol: protocolOf(request) }
  if (address.suffix === 'info/refs') {
    const transfer: Transfer = { body: null, answer: (contentType, body) => sendStream(reply, { headers: { 'content-type': contentType } }, body) }
    await host.invoke(call, 'repository.advertise-refs', { ...input, service, transfer: () => transfer })
    return null
  }
  const body = requestBody(request, service, options)
  const transfer: Transfer = {
    body: body.chunks,
    answer: (contentType, answer) => sendStream(reply, { headers: { 'content-type': contentType } }, answer),
  }
  try {
    await host.invoke(call, service === 'upload-pack' ? 'repository.upload-pack' : 'repository.push', { ...input, transfer: () => transfer })
  } catch (error) {
    throw body.failure() ?? error
  }
  return null
}

function wrongMethod(method: string, { suffix }: Address): Refusal | null {
  if (suffix === 'info/refs') return method === 'GET' ? null : gitRefusals.readOnlyAddress
  return method === 'POST' ? null : gitRefusals.postOnlyAddress
}

function requestBody(request: FastifyRequest, service: Service, { bodyLimitBytes }: GitHttpOptions): Body {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const wanted = `application/x-git-${service}-request`
  // A form of another site cannot send this type.
  if (type !== wanted) throw fault('unsupported_media_type', { type, wanted })
  const encoding = request.headers['content-encoding']
  if (!isKnownEncoding(encoding)) throw fault('unsupported_media_type', { type: `${encoding}`, wanted: 'the body as it is, or in gzip' })
  if (Number(request.headers['content-length'] ?? 0) > bodyLimitBytes) throw fault('payload_too_large', { limit: bodyLimitBytes })
  return bodyOf(request.raw, encoding, bodyLimitBytes)
}

function protocolOf(request: FastifyRequest): string | null {
  const value = request.headers['git-protocol']
  const text = Array.isArray(value) ? value.join(',') : (value ?? null)
  return text !== null && text.length <= 1000 ? text : null
}

export type { GitHttpOptions }
export { handleGit }
