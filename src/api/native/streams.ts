import { Readable } from 'node:stream'
import { fault, problemsFault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { sendEvents, signalOf } from '../sse.ts'
import { callOf } from './credentials.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FollowedEvent } from '../../core/notify/streams.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { LogPiece } from '../../core/run/streams.ts'
import type { ApiHost } from '../api.ts'
import type { ServerSentEvent } from '../sse.ts'

const mostStreams = 1000
const mostStreamsOfOne = 50

/** `GET /api/v1/events` and `GET /api/v1/runs/<id>/log`. */
function addStreams(http: FastifyInstance, host: ApiHost): void {
  const open = new Map<string, number>()
  let all = 0

  // Every open stream is a connection and a listener: a bound for all, and one for each caller so that nobody takes all.
  const enter = (call: Call, reply: FastifyReply) => {
    const who = isSignedIn(call.principal) ? call.principal.id : call.origin.peer
    const mine = open.get(who) ?? 0
    if (all >= mostStreams || mine >= mostStreamsOfOne) {
      throw fault('overloaded', { what: 'too many streams are open', seconds: 10 }, { retryAfterMs: 10_000 })
    }
    all++
    open.set(who, mine + 1)
    reply.raw.once('close', () => {
      all--
      const left = (open.get(who) ?? 1) - 1
      if (left > 0) open.set(who, left)
      else open.delete(who)
    })
  }

  http.get('/api/v1/events', async (request, reply) => {
    const call = await callOf(request, reply, host)
    enter(call, reply)
    const since = lastEventId(request)
    const following = { ...call, signal: signalOf(reply, host.stopping) }
    const items = await host.stream<FollowedEvent>(following, 'event.follow', since === undefined ? {} : { since })
    return sendEvents(reply, eventsOf(items), host.clock)
  })

  http.get<{ Params: { run: string } }>('/api/v1/runs/:run/log', async (request, reply) => {
    const input = logInput(request)
    const call = await callOf(request, reply, host)
    enter(call, reply)
    const items = await host.stream<LogPiece>({ ...call, signal: signalOf(reply, host.stopping) }, 'run.follow-log', input)
    if (input.follow || wantsEvents(request)) return sendEvents(reply, logEvents(items), host.clock)
    return reply.type('text/plain; charset=utf-8').send(Readable.from(logBytes(items), { objectMode: false }))
  })
}

async function* eventsOf(items: AsyncIterable<FollowedEvent>): AsyncGenerator<ServerSentEvent> {
  for await (const { id, event } of items) {
    if (event === null) yield { id, event: 'reset', data: {} }
    else {
      const { kind, id: thing, name, state, data } = event
      yield { id, event: kind, data: { kind, id: thing, name, state, ...(data ? { data } : {}) } }
    }
  }
}

async function* logEvents(pieces: AsyncIterable<LogPiece>): AsyncGenerator<ServerSentEvent> {
  let held: Buffer = Buffer.alloc(0)
  for await (const { offset, bytes, end } of pieces) {
    const all = Buffer.concat([held, bytes])
    const start = offset - held.length
    // A character that is cut in two waits for its other half, so that going on from an id never begins inside of one.
    const whole = end ? all.length : wholeCharacters(all)
    held = all.subarray(whole)
    if (whole > 0) yield { id: String(start + whole), data: { offset: start, text: all.toString('utf8', 0, whole) } }
    if (end) yield { id: String(start + whole), event: 'end', data: { offset: start + whole } }
  }
}

async function* logBytes(pieces: AsyncIterable<LogPiece>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces) if (bytes.length > 0) yield bytes
}

/** How many bytes are left when a character that is not complete at the end is left out. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) break
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? bytes.length - back : bytes.length
  }
  return bytes.length
}

type LogInput = { run: string; step?: string; attempt?: number; offset?: number; follow?: boolean }

function logInput(request: FastifyRequest<{ Params: { run: string } }>): LogInput {
  const query = request.query as Readonly<Record<string, string | string[]>> // what fastify's parser gives
  const input: LogInput = { run: request.params.run }
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== 'string') throw badQuery(name, 'must be given once')
    if (name === 'step') input.step = value
    else if (name === 'attempt' || name === 'offset') input[name] = wholeNumber(name, value)
    else if (name === 'follow') input.follow = truth(name, value)
    else throw badQuery(name, 'is not known here')
  }
  const resumed = lastEventId(request)
  if (resumed !== undefined) input.offset = wholeNumber('Last-Event-ID', resumed)
  return input
}

function wholeNumber(name: string, value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw badQuery(name, 'must be a whole number')
  return Number(value)
}

function truth(name: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw badQuery(name, 'must be true or false')
  return value === 'true'
}

function badQuery(name: string, message: string) {
  return problemsFault('invalid_input', 'run.follow-log', [{ path: `/${name}`, code: 'query', message }])
}

function lastEventId(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id']
  return typeof id === 'string' && id !== '' ? id : undefined
}

function wantsEvents(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').includes('text/event-stream')
}

export { addStreams }
