import { Readable } from 'node:stream'
import { fault, problemsFault } from '../../core/kernel/fault.ts'
import { isSignedIn } from '../../core/identity/principal.ts'
import { sendEvents, signalOf } from '../sse.ts'
import { callOf } from './credentials.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { ServerSentEvent } from '../sse.ts'

/** Items of the stream `event.follow` (input: `{ since?: '<epoch>-<sequence>' }`). `reset` says that what lies between is not kept any more. */
export type EventItem =
  | { readonly type: 'event'; readonly cursor: string; readonly event: { readonly kind: string; readonly [member: string]: unknown } }
  | { readonly type: 'reset'; readonly cursor: string }

/**
 * Items of the stream `run.follow-log` (input: `{ run, step?, attempt?, offset?, follow? }`). `text` is the log's bytes from `offset` to `next`; `end`
 * comes last, when the log is complete (or, without `follow`, was read so far).
 */
export type LogItem =
  | { readonly type: 'text'; readonly offset: number; readonly next: number; readonly text: string }
  | { readonly type: 'end'; readonly offset: number }

const mostStreams = 1000
const mostStreamsOfOne = 50

/** `GET /api/v1/events` and `GET /api/v1/runs/<id>/log`. */
export function addStreams(http: FastifyInstance, host: ApiHost): void {
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
    const items = await host.stream<EventItem>(following, 'event.follow', since === undefined ? {} : { since })
    return sendEvents(reply, eventsOf(items), host.clock)
  })

  http.get<{ Params: { run: string } }>('/api/v1/runs/:run/log', async (request, reply) => {
    const input = logInput(request)
    const call = await callOf(request, reply, host)
    enter(call, reply)
    const items = await host.stream<LogItem>({ ...call, signal: signalOf(reply, host.stopping) }, 'run.follow-log', input)
    if (input.follow || wantsEvents(request)) return sendEvents(reply, logEvents(items), host.clock)
    return reply.type('text/plain; charset=utf-8').send(Readable.from(logText(items), { objectMode: false }))
  })
}

async function* eventsOf(items: AsyncIterable<EventItem>): AsyncGenerator<ServerSentEvent> {
  for await (const item of items) {
    if (item.type === 'reset') yield { id: item.cursor, event: 'reset', data: {} }
    else yield { id: item.cursor, event: item.event.kind, data: item.event }
  }
}

async function* logEvents(items: AsyncIterable<LogItem>): AsyncGenerator<ServerSentEvent> {
  for await (const item of items) {
    if (item.type === 'end') yield { id: String(item.offset), event: 'end', data: { offset: item.offset } }
    else yield { id: String(item.next), data: { offset: item.offset, text: item.text } }
  }
}

async function* logText(items: AsyncIterable<LogItem>): AsyncGenerator<string> {
  for await (const item of items) if (item.type === 'text' && item.text !== '') yield item.text
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
