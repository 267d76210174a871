import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

/** Answers what is no HTTP that node can read, then ends the connection: nothing that follows on it can be trusted to be a request of its own. */
function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const [status, why] = meaningOf(error.code)
  const body = JSON.stringify({ error: { code: 'malformed_request', message: `The request cannot be read: ${why}. Correct it and send it again.` } })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'x-content-type-options: nosniff',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function meaningOf(code: string | undefined): [number, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'its headers are larger than 32768 bytes']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'its headers took too long']
  return [400, 'it does not follow HTTP']
}

export { answerClientError }
