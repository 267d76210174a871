import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { HgProtocolError, HgTimeout, HgUnavailable } from '../../ports/hg.ts'
import type { HgServeAnswer, HgServeRequest } from '../../ports/hg.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { Ends } from './ends.ts'
import type { HgHost } from './environment.ts'
import type { Gate } from '../code/gate.ts'
import type { Lingering } from './lingering.ts'
import type { Pushes, PushToken } from './pushes.ts'

type Serving = {
  readonly host: HgHost
  readonly gate: Gate
  readonly ends: Ends
  readonly lingering: Lingering
  readonly pushes: Pushes
  /** An exchange in which nothing moves for so long is ended. */
  readonly stallMs: number
  /** Puts the storage in order if a change was cut off in it. */
  readonly mend: (id: string) => Promise<void>
  /** Of what was allowed, what is true of the storage now. */
  readonly madeTrue: (id: string, changes: readonly RefUpdate[]) => Promise<RefUpdate[]>
}

// What the protocol is made of; nothing else of a client's headers goes on, so none of them can pass for one of ours.
const passedOn = /^(accept|content-type|x-hgarg-\d{1,3}|x-hgproto-\d{1,2})$/

/** Answers one request by the end that it may use. */
async function serveHg(serving: Serving, request: HgServeRequest): Promise<HgServeAnswer> {
  const { gate, ends, pushes, host } = serving
  const leaveGate = await gate.enter(request.signal)
  const token = request.end === 'write' ? pushes.open((changes) => recorded(request, changes)) : null
  const release: (() => void)[] = [leaveGate]
  const over = () => {
    token?.close()
    for (const one of release.splice(0)) one()
  }
  try {
    if (request.end === 'write') await serving.mend(request.id)
    const end = await ends.use(request.end)
    release.push(end.leave)
    const ask = async (agent: Lingering | false) => {
      const outgoing = send(request, { socketPath: end.socket, agent }, token?.token)
      const stall = watchStall(host, outgoing, serving.stallMs)
      release.push(stall.cancel)
      try {
        return { outgoing, stall, incoming: await exchange(request, outgoing, token, stall.moved) }
      } catch (error) {
        if (!outgoing.reusedSocket || request.signal.aborted || !isGone(error)) throw error
        // The child that we knew ended before the request came to it. Only reads go this way, so another one may be asked.
        return null
      }
    }
    const mayLinger = request.end === 'read' && request.method === 'GET' && request.body === null
    const asked = (await ask(mayLinger && serving.lingering)) ?? (await ask(false))
    if (asked === null) throw new HgUnavailable('the end of hg went twice')
    const { outgoing, stall, incoming } = asked
    if (token) await settle(serving, request, token, outgoing)
    return { status: statusOf(incoming), headers: headersOf(incoming), body: bodyOf(incoming, stall.moved, over) }
  } catch (error) {
    // What hg was allowed to commit it may still be committing: nobody may look before it is over.
    if (token?.allowed()) await serving.mend(request.id).catch(() => {})
    over()
    throw token?.refusal() ?? error
  }
}

async function recorded(request: HgServeRequest, changes: readonly RefUpdate[]): Promise<void> {
  request.signal.throwIfAborted()
  await request.onCommands?.(changes)
}

function isGone(error: unknown): boolean {
  return error instanceof HgUnavailable && !(error.cause instanceof HgTimeout)
}

type Way = { readonly socketPath: string; readonly agent: Lingering | false }

function send(request: HgServeRequest, { socketPath, agent }: Way, token: string | undefined): ClientRequest {
  const headers: Record<string, string> = { host: 'localhost', connection: 'keep-alive', 'x-capstan-repository': request.id }
  for (const [name, value] of Object.entries(request.headers)) if (passedOn.test(name)) headers[name] = value
  if (token) headers['x-capstan-push'] = token
  if (request.body) headers['content-length'] = String(request.body.length)
  const path = `/?cmd=${encodeURIComponent(request.command)}${request.query ? `&${request.query}` : ''}`
  // The name of the host only tells ways apart: it is the socket that is gone to.
  return httpRequest({ socketPath, host: request.id, method: request.method, path, headers, agent })
}

// A push that hg may commit already must come to its end, whether or not its client is still there: only then is it known what is true.
async function exchange(request: HgServeRequest, outgoing: ClientRequest, token: PushToken | null, moved: () => void): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', (error) => reject(new HgUnavailable(`the end of hg went: ${String(error)}`, { cause: error })))
  })
  // It may fail when nobody waits for it any more.
  answered.catch(() => {})
  const gone = () => {
    token?.close()
    if (!token?.allowed()) outgoing.destroy()
  }
  request.signal.addEventListener('abort', gone, { once: true })
  try {
    request.signal.throwIfAborted()
    const sent = sendBody(request, outgoing, moved)
    sent.catch(() => outgoing.destroy())
    const incoming = await Promise.race([answered, sent.then(() => answered)])
    return incoming
  } catch (error) {
    outgoing.destroy()
    throw error
  }
}

async function sendBody({ body }: HgServeRequest, outgoing: ClientRequest, moved: () => void): Promise<void> {
  let left = body?.length ?? 0
  if (body) {
    for await (const chunk of body.chunks) {
      left -= chunk.length
      if (left < 0) break
      moved()
      if (outgoing.destroyed || outgoing.writableEnded) return
      if (!outgoing.write(chunk)) await drained(outgoing)
    }
  }
  if (left !== 0) throw new HgProtocolError('the body is not as long as it says')
  outgoing.end()
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done).off('close', done)
      resolve()
    }
    outgoing.on('drain', done).on('close', done)
  })
}

async function settle(serving: Serving, request: HgServeRequest, token: PushToken, outgoing: ClientRequest): Promise<void> {
  token.close()
  const allowed = token.allowed()
  if (allowed === null) return
  try {
    await request.onChanged?.(await serving.madeTrue(request.id, allowed))
  } catch (error) {
    outgoing.destroy()
    throw error
  }
}

function watchStall(host: HgHost, outgoing: ClientRequest, stallMs: number): { moved: () => void; cancel: () => void } {
  const end = () => outgoing.destroy(new HgTimeout(`nothing moved for ${stallMs} ms`))
  let timer = host.clock.after(stallMs, end)
  let checked = host.clock.now()
  return {
    moved() {
      // A timer for each piece would cost more than the piece.
      if (host.clock.now() - checked < stallMs / 10) return
      checked = host.clock.now()
      timer.cancel()
      timer = host.clock.after(stallMs, end)
    },
    cancel: () => timer.cancel(),
  }
}

// What its own rules refuse at an end that may not write is not a matter of signing in.
function statusOf({ statusCode = 500 }: IncomingMessage): number {
  return statusCode === 401 ? 403 : statusCode
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const { 'content-type': type, 'content-length': length } = headers
  return { ...(type === undefined ? {} : { 'content-type': type }), ...(length === undefined ? {} : { 'content-length': length }) }
}

// Not a generator: one that nobody began to read would never give its place back.
function bodyOf(incoming: IncomingMessage, moved: () => void, over: () => void): AsyncIterable<Uint8Array> {
  const pieces = (incoming as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const end = () => {
    incoming.destroy()
    over()
    return Promise.resolve({ done: true as const, value: undefined })
  }
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const piece = await pieces.next()
      moved()
      if (!piece.done) return piece
      if (!incoming.complete) throw new HgUnavailable('the end of hg broke off')
    } catch (error) {
      await end()
      throw error
    }
    return end()
  }
  return { [Symbol.asyncIterator]: () => ({ next, return: end }) }
}

export type { Serving }
export { serveHg }
