import { CodePushRefused } from '../../ports/code-storage.ts'
import type { Git, GitServeAnswer, GitServeRequest } from '../../ports/git.ts'
import { GitTimeout, GitUnavailable } from '../../ports/git.ts'
import { readPushHead } from './commands.ts'
import { protocolVariable } from './environment.ts'
import type { GitHost } from './environment.ts'
import { Exchange } from './exchange.ts'
import type { Gate } from '../code/gate.ts'
import { adoptHead } from './head.ts'
import { flushPacket, packet } from './pkt-line.ts'
import { refusedPush } from './refused.ts'
import { answerPush, refValues } from './receive.ts'
import type { RefReader } from './refs.ts'
import { repositoryExists, repositoryPath, syncRefs } from './storage.ts'
import { streamed } from './upload.ts'
import type { Writers } from './writers.ts'

type ServingParts = {
  readonly host: GitHost
  readonly gate: Gate
  readonly refs: RefReader
  readonly writers: Writers
  readonly git: Pick<Git, 'head' | 'refs' | 'setHead'>
  readonly stallMs: number
}

type Serving = {
  serve(request: GitServeRequest): Promise<GitServeAnswer>
  /** Ends the exchanges of a repository that is going away, or all of them. */
  stop(id: string | null): Promise<void>
}

// Wants and haves of a very large repository are a few MiB. Packs of pushes have no bound here: they are streamed.
const commandsMs = 60_000
const uploadRequestLimit = 64 * 1024 * 1024

/** Answers requests of the smart protocol with `git upload-pack` and `git receive-pack`, one process each, packs streamed and never held. */
function createServing(parts: ServingParts): Serving {
  const { host } = parts
  const running = new Map<Exchange, { id: string; over: Promise<void> }>()

  function begin(request: GitServeRequest, directory: string, args: readonly string[]): { exchange: Exchange; over: () => void } {
    const exchange = new Exchange(host, {
      args,
      directory,
      extra: protocolVariable(request.protocol),
      signal: request.signal,
      stallMs: parts.stallMs,
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    running.set(exchange, { id: request.id, over: promise })
    return {
      exchange,
      over() {
        running.delete(exchange)
        resolve()
      },
    }
  }

  async function advertise(request: GitServeRequest, directory: string, leave: () => void): Promise<AsyncIterable<Uint8Array>> {
    const { exchange, over } = begin(request, directory, [...command(request.service), '--http-backend-info-refs', directory])
    void exchange.feed(null, null, { limit: 0 })
    const prefix = Buffer.concat([packet(`# service=git-${request.service}\n`), flushPacket])
    return streamed(exchange, prefix, () => {
      over()
      leave()
    })
  }

  async function upload(request: GitServeRequest, directory: string, leave: () => void): Promise<AsyncIterable<Uint8Array>> {
    const { exchange, over } = begin(request, directory, [...command(request.service), directory])
    void exchange.feed(null, request.body?.[Symbol.asyncIterator]() ?? null, { limit: uploadRequestLimit })
    return streamed(exchange, null, () => {
      over()
      leave()
    })
  }

  async function receive(request: GitServeRequest, directory: string, leave: () => void): Promise<AsyncIterable<Uint8Array>> {
    const body = (request.body ?? nothing())[Symbol.asyncIterator]()
    const head = await within(host, request.signal, readPushHead(body))
    if (head.commands.length === 0) {
      leave()
      return nothing()
    }
    try {
      await request.onCommands?.(head.commands, head.options)
    } catch (error) {
      if (!(error instanceof CodePushRefused)) throw error
      leave()
      return refusedPush(head, body, error.message)
    }
    const before = await refValues(parts.refs, directory, head.commands)
    const left = await parts.writers.enter(directory)
    const { exchange, over } = begin(request, directory, [...command(request.service), directory])
    void exchange.feed(head.raw, body, { limit: Number.POSITIVE_INFINITY })
    return answerPush({
      exchange,
      head,
      directory,
      refs: parts.refs,
      before,
      onChanged: request.onChanged,
      async finish(changes) {
        if (changes.length === 0) return
        await syncRefs(
          directory,
          changes.map((change) => change.ref),
        )
        await adoptHead(parts.git, request.id, changes)
      },
      ended: (exit) => left(exit.code === null ? 'killed' : 'in-order'),
      settled() {
        over()
        leave()
      },
    })
  }

  return {
    async serve(request) {
      const directory = repositoryPath(host, request.id)
      const leave = await parts.gate.enter(request.signal)
      try {
        if (!(await repositoryExists(host, request.id))) throw new GitUnavailable(`there is no storage of ${request.id}`)
        const answer = request.phase === 'advertise' ? advertise : request.service === 'upload-pack' ? upload : receive
        const body = await answer(request, directory, leave)
        return { contentType: `application/x-git-${request.service}-${request.phase === 'advertise' ? 'advertisement' : 'result'}`, body }
      } catch (error) {
        leave()
        throw error
      }
    },
    async stop(id) {
      const reason = new GitUnavailable(id === null ? 'git storage is closed' : 'the repository is going away')
      const ending = [...running].filter(([, item]) => id === null || item.id === id)
      await Promise.all(ending.map(async ([exchange, item]) => Promise.all([exchange.stop(reason), item.over])))
    },
  }
}

function command(service: GitServeRequest['service']): string[] {
  return service === 'upload-pack' ? ['upload-pack', '--strict', '--stateless-rpc'] : ['receive-pack', '--stateless-rpc']
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

// A client that sends its commands a byte at a time must not hold a place for ever.
function within<T>(host: GitHost, signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason)
    if (signal.aborted) aborted()
    const timer = host.clock.after(commandsMs, () => reject(new GitTimeout('the commands of a push did not arrive in time')))
    signal.addEventListener('abort', aborted, { once: true })
    work.then(resolve, reject).finally(() => {
      timer.cancel()
      signal.removeEventListener('abort', aborted)
    })
  })
}

export type { ServingParts, Serving }
export { createServing }
