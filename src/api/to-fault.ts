import { fault, isFault } from '../core/kernel/fault.ts'
import type { FastifyRequest } from 'fastify'
import type { Fault } from '../core/kernel/fault.ts'
import type { Log } from '../core/kernel/log.ts'

export const longestUrl = 8192

/** The fault that something thrown while answering a request means. What no table knows is logged and becomes `internal`. */
export function toFault(error: unknown, request: FastifyRequest, log: Log): Fault {
  if (isFault(error)) return error
  const code = codeOf(error)
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return fault('payload_too_large', { limit: request.routeOptions?.bodyLimit ?? 0 })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return fault('unsupported_media_type', { type: request.headers['content-type'] ?? '', wanted: 'application/json' })
    case 'FST_ERR_BAD_URL':
      return fault('malformed_request', { why: 'its address has a percent sign that starts no valid character' })
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return fault('uri_too_long', { limit: longestUrl })
  }
  const status = statusOf(error)
  if (error instanceof SyntaxError || code.startsWith('FST_ERR_CTP_') || (status >= 400 && status < 500)) {
    return fault('malformed_request', { why: whyOf(error) }, { cause: error })
  }
  log.error('http.failed', { request: request.id, method: request.method, path: request.url.split('?')[0], error })
  return fault('internal', { request_id: request.id }, { cause: error })
}

function whyOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'its body is not JSON that can be taken'
  if (codeOf(error) === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') return 'its body is not as long as its Content-Length says'
  return 'it does not follow HTTP'
}

function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null
  return typeof code === 'string' ? code : ''
}

function statusOf(error: unknown): number {
  const status: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'statusCode') : null
  return typeof status === 'number' ? status : 0
}
