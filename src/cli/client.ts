import { isObject } from '../core/kernel/json.ts'
import { CommandFailure, exitOf } from './exit.ts'

/** A server and how to prove oneself to it. */
type Server = { readonly url: string; readonly token: string | null }

const answerWithinMs = 120_000

/** Calls an operation and gives its output. Whatever goes wrong is a `CommandFailure` that says what to do next. */
async function callOperation(server: Server, operation: string, input: unknown): Promise<unknown> {
  const response = await send(server, `/api/v1/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
    signal: AbortSignal.timeout(answerWithinMs),
  })
  const body = await response.json().catch(() => null)
  if (!response.ok) throw failureOf(server, response.status, body)
  return body
}

type StreamedEvent = { readonly id: string; readonly event: string; readonly data: unknown }

/** Follows a stream of server-sent events until it ends. */
async function* followEvents(server: Server, path: string, lastId?: string): AsyncGenerator<StreamedEvent> {
  const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
  const response = await send(server, path, { headers })
  if (!response.ok) throw failureOf(server, response.status, await response.json().catch(() => null))
  let waiting = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    waiting += decoder.decode(bytes, { stream: true })
    const blocks = waiting.split('\n\n')
    waiting = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = eventOf(block)
      if (event) yield event
    }
  }
}

function eventOf(block: string): StreamedEvent | null {
  let id = ''
  let event = 'message'
  let data: string | null = null
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4)
    else if (line.startsWith('event: ')) event = line.slice(7)
    else if (line.startsWith('data: ')) data = line.slice(6)
  }
  return data === null ? null : { id, event, data: JSON.parse(data) }
}

async function send({ url, token }: Server, path: string, options: RequestInit): Promise<Response> {
  const headers = { ...(options.headers as Record<string, string>), ...(token === null ? {} : { authorization: `Bearer ${token}` }) }
  try {
    // A redirect would carry the input, and what is in it, to another place than the one that was named.
    return await fetch(url + path, { ...options, headers, redirect: 'error' })
  } catch (error) {
    const cause: unknown = error instanceof Error ? error.cause : undefined
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw new CommandFailure('failure', `No server answers at ${url}${code}. Start one with "npm start", or name another with --server.`)
  }
}

function failureOf(server: Server, status: number, body: unknown): CommandFailure {
  const error = isObject(body) && isObject(body.error) ? body.error : {}
  const code = typeof error.code === 'string' ? error.code : ''
  const message = typeof error.message === 'string' ? error.message : `${server.url} answered ${status}, and not as a Capstan server does.`
  const exit = exitOf(code, status)
  const next = exit === 'notSignedIn' ? `\nSign in with "capstan login ${server.url}".` : ''
  return new CommandFailure(exit, `${message}${problemsOf(error.details)}${next}`, body)
}

// The message holds the first problem; here are all, when there are more.
function problemsOf(details: unknown): string {
  const problems = isObject(details) && Array.isArray(details.problems) ? details.problems : []
  if (problems.length < 2) return ''
  return problems.map((problem) => (isObject(problem) ? `\n  ${problem.path || '/'} ${problem.message}` : '')).join('')
}

export type { Server, StreamedEvent }
export { callOperation, followEvents }
