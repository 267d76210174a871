import { fault, isFault } from '../../core/kernel/fault.ts'
import { parseAddress, serviceOf } from './address.ts'
import { sendStream } from './answer.ts'
import { credentialOf } from './authenticate.ts'
import { bodyOf, isKnownEncoding } from './body.ts'
import { refusalOf, refusals, refuse } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { Origin } from '../../core/operation/context.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { Transfer } from '../../core/repository/transfer.ts'
import type { ApiHost } from '../api.ts'
import type { Address, Service } from './address.ts'
import type { Body } from './body.ts'
import type { Refusal } from './errors.ts'

type GitHttpOptions = {
  /** Most bytes of a request's body, unpacked. */
  readonly bodyLimitBytes: number
  /** How long one request may take from its first byte to the last of its answer. */
  readonly transferMs: number
}

type Located = {
  readonly id: string
  readonly path: string
  readonly kind: 'git' | 'hg'
  readonly may: { readonly pull: boolean; readonly push: boolean }
}

/** Where a repository is served, and as whom. */
type Admission = { readonly repository: string; readonly principal: Principal }

/** Answers one request of git; what is no address of git goes to whoever answers the rest. */
async function handleGit(request: FastifyRequest, reply: FastifyReply, host: ApiHost, options: GitHttpOptions): Promise<unknown> {
  const address = parseAddress(request.raw.url ?? '')
  if (address === null) return reply.callNotFound()
  const refusal = await serveGit(request, reply, host, options, address).catch((error: unknown) => errorOf(error))
  if (reply.sent) return reply
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
  const anonymous = await host.identify({ form: 'none' }, origin)
  // A repository that is not there is said so before anybody has to sign in (contract §12.2).
  const open = address.path === null ? 'missing' : await locate(host, { principal: anonymous, origin }, address.path)
  if (open === 'missing' || address.path === null) return refusals.missing
  const refusal = wrongMethod(request.method, address)
  if (refusal) return refusal
  const service = address.suffix === 'info/refs' ? serviceOf(address.query) : address.suffix === 'git-upload-pack' ? 'upload-pack' : 'receive-pack'
  if (service === null) return refusals.noService
  const admission = await admit(request, host, { origin, anonymous, open, service, path: address.path })
  if ('status' in admission) return admission
  const call = { principal: admission.principal, origin, signal: goneSignal(reply), deadlineMs: options.transferMs }
  const input = { repository: admission.repository, protocol: protocolOf(request) }
  if (address.suffix === 'info/refs') {
    const transfer: Transfer = { body: null, answer: (contentType, body) => sendStream(reply, contentType, body) }
    await host.invoke(call, 'repository.advertise-refs', { ...input, service, transfer: () => transfer })
    return null
  }
  const body = requestBody(request, service, options)
  const transfer: Transfer = { body: body.chunks, answer: (contentType, answer) => sendStream(reply, contentType, answer) }
  try {
    await host.invoke(call, service === 'upload-pack' ? 'repository.upload-pack' : 'repository.push', { ...input, transfer: () => transfer })
  } catch (error) {
    throw body.failure() ?? error
  }
  return null
}

function wrongMethod(method: string, { suffix }: Address): Refusal | null {
  if (suffix === 'info/refs') return method === 'GET' ? null : refusals.readOnlyAddress
  return method === 'POST' ? null : refusals.postOnlyAddress
}

async function locate(host: ApiHost, call: Call, path: string): Promise<Located | 'hidden' | 'missing'> {
  try {
    const located = await host.invoke<Located>(call, 'repository.locate', { path })
    return located.kind === 'git' ? located : 'missing'
  } catch (error) {
    if (isFault(error, 'not_found')) return error.context.absence === 'hidden' ? 'hidden' : 'missing'
    throw error
  }
}

type Asking = {
  readonly origin: Origin
  readonly anonymous: Principal
  readonly open: Located | 'hidden'
  readonly service: Service
  readonly path: string
}

// The order is the contract's: what callers without credentials may do is served without a look at the Authorization header.
async function admit(request: FastifyRequest, host: ApiHost, { origin, anonymous, open, service, path }: Asking): Promise<Admission | Refusal> {
  if (open !== 'hidden' && (service === 'upload-pack' ? open.may.pull : open.may.push)) return { repository: open.id, principal: anonymous }
  const credential = credentialOf(request.headers.authorization)
  if (credential === null) return refusals.unauthenticated
  const principal = await host.identify(credential, origin)
  const located = await locate(host, { principal, origin }, path)
  if (located === 'missing') return refusals.missing
  return located === 'hidden' ? refusals.hidden : { repository: located.id, principal }
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

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(fault('malformed_request', { why: 'its client has gone' }))
  })
  return gone.signal
}

export type { GitHttpOptions }
export { handleGit }
