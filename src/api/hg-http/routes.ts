import { fault, isFault } from '../../core/kernel/fault.ts'
import { admit, findHosted, goneSignal } from '../hosting/admit.ts'
import { sendStream } from '../hosting/answer.ts'
import { refusalOf, refuse } from '../hosting/errors.ts'
import { repositoryPath } from '../hosting/path.ts'
import { askedBy } from './command.ts'
import { hgRefusals } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { HgTransfer } from '../../core/repository/hg-transfer.ts'
import type { ApiHost } from '../api.ts'
import type { Refusal } from '../hosting/errors.ts'
import type { Asked } from './command.ts'

type HgHttpOptions = {
  /** Most bytes of a request's body. */
  readonly bodyLimitBytes: number
  /** How long one request may take from its first byte to the last of its answer. */
  readonly transferMs: number
}

/** Answers one request of a Mercurial client. */
async function handleHg(request: FastifyRequest, reply: FastifyReply, host: ApiHost, options: HgHttpOptions): Promise<unknown> {
  const refusal = await serveHg(request, reply, host, options).catch((error: unknown) => errorOf(error))
  // An answer that has begun cannot become a refusal, also where the client went away in the middle of it.
  if (reply.sent || reply.raw.headersSent) return reply
  return refusal ? refuse(reply, refusal) : reply
}

// What is no fault is a defect: the host logs it and answers.
function errorOf(error: unknown): Refusal {
  if (isFault(error)) return refusalOf(error)
  throw error
}

async function serveHg(request: FastifyRequest, reply: FastifyReply, host: ApiHost, options: HgHttpOptions): Promise<Refusal | null> {
  const [path = '', ...query] = (request.raw.url ?? '').split('?')
  const origin = host.originOf(request, 'hg-http')
  const found = await findHosted(host, origin, 'hg', repositoryPath(path))
  if ('status' in found) return found
  const asked = hasRepeated(request) ? null : askedBy(query.join('?'), request.headers)
  if (asked === null) return hgRefusals.noCommand
  const admission = await admit(request, host, found, asked.reads ? 'pull' : 'push')
  if ('status' in admission) return admission
  const body = bodyOf(request, options)
  if ('status' in body) return body
  const transfer = transferOf(request, reply, asked, body.body)
  const call = { principal: admission.principal, origin, signal: goneSignal(reply), deadlineMs: options.transferMs }
  const operation = asked.reads ? 'repository.read-hg' : 'repository.push'
  await host.invoke(call, operation, { repository: admission.repository, hg_transfer: () => transfer })
  return null
}

function transferOf(request: FastifyRequest, reply: FastifyReply, { command, query }: Asked, body: HgTransfer['body']): HgTransfer {
  const headers = Object.fromEntries(Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  return {
    method: request.method === 'POST' ? 'POST' : 'GET',
    command,
    query,
    headers,
    body,
    answer: (head, chunks) => sendStream(reply, head, chunks),
  }
}

// Of two headers of one name everybody on the way may take another.
function hasRepeated(request: FastifyRequest): boolean {
  const names = request.raw.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const ours = names.filter((name) => name.startsWith('x-hg') || name === 'content-length' || name === 'content-type')
  return new Set(ours).size < ours.length
}

function bodyOf(request: FastifyRequest, { bodyLimitBytes }: HgHttpOptions): { body: HgTransfer['body'] } | Refusal {
  const { 'content-length': given, 'transfer-encoding': encoding, 'content-type': type = '' } = request.headers
  // Mercurial reads as much as it was told; what has no length it cannot take.
  if (encoding !== undefined) return hgRefusals.noLength
  const length = Number(given ?? 0)
  if (!Number.isSafeInteger(length) || length < 0) return hgRefusals.noLength
  if (length > bodyLimitBytes) return hgRefusals.tooLarge
  // A form of another site cannot send this type.
  if (request.method === 'POST' && !/^application\/mercurial/i.test(type)) return hgRefusals.wrongType
  return { body: request.method === 'POST' ? { length, chunks: chunksOf(request) } : null }
}

// The request itself is left open, so that the client gets to read the answer.
async function* chunksOf({ raw }: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) yield chunk
  } catch (error) {
    throw fault('malformed_request', { why: 'its body ended too early' }, { cause: error })
  }
}

export type { HgHttpOptions }
export { handleHg }
