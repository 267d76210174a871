import { isObject } from '../core/kernel/json.ts'
import { CommandFailure, ServerUnreachable, exitOf } from './exit.ts'

/** A server and how to prove oneself to it. */
type Server = { readonly url: string; readonly token: string | null }

const answerWithinMs = 120_000
// What is asked with gives up by itself soon after.
const longestWaitMs = 290_000

/**
 * Calls an operation and gives its output. Whatever goes wrong is a `CommandFailure` that says what to do next. `lasts`: how long the operation may take, where
 * that is longer than most.
 */
async function callOperation(
  server: Server,
  operation: string,
  input: unknown,
  options: { readonly signal?: AbortSignal; readonly lasts?: number | undefined } = {},
): Promise<unknown> {
  const tooLong = AbortSignal.timeout(Math.min(Math.max(answerWithinMs, options.lasts ?? 0), longestWaitMs))
  const response = await send(server, `/api/v1/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
    signal: options.signal ? AbortSignal.any([options.signal, tooLong]) : tooLong,
  })
  const body = await response.json().catch(() => null)
  if (!response.ok) throw failureOf(server, response.status, body)
  return body
}

type StreamedEvent = { readonly id: string; readonly event: string; readonly data: unknown }

type FollowOptions = {
  /** The id of the last event that was seen. */
  readonly last?: string | undefined
  readonly signal?: AbortSignal
  /** The stream is open: what changes from now on is heard. */
  readonly onOpen?: () => void
}

/** Follows a stream of server-sent events until it ends, or the connection does; an interruption by the signal is an error. */
async function* followEvents(server: Server, path: string, { last, signal, onOpen }: FollowOptions = {}): AsyncGenerator<StreamedEvent> {
  const headers = { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) }
  const response = await send(server, path, { headers, ...(signal && { signal }) })
  if (!response.ok) throw failureOf(server, response.status, await response.json().catch(() => null))
  onOpen?.()
  let waiting = ''
  const decoder = new TextDecoder()
  for await (const bytes of untilLost(response.body ?? [], signal)) {
    waiting += decoder.decode(bytes, { stream: true })
    const blocks = waiting.split('\n\n')
    waiting = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = eventOf(block)
      if (event) yield event
    }
  }
}

// A connection that breaks off is an end like any other: whoever follows takes it up again.
async function* untilLost(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch {
    signal?.throwIfAborted()
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
    // Told to stop, and not just too slow an answer.
    const late = error instanceof Error && error.name === 'TimeoutError'
    if (options.signal?.aborted && !late) throw error
    if (late) {
      throw new CommandFailure('tryLater', `${url} has not answered in time. It may be at it still: see what has become of it before you try again.`)
    }
    const cause: unknown = error instanceof Error ? error.cause : undefined
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw new ServerUnreachable('failure', `No server answers at ${url}${code}. Start one with "npm start", or name another with --server.`)
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

export type { Server, StreamedEvent, FollowOptions }
export { callOperation, followEvents }
