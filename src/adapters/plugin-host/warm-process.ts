import { closeSync, constants, fstatSync, openSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { sleep } from '../../core/kernel/clock.ts'
import { inside, launch } from './launch.ts'
import { answerOf, envelopeBody, failed, messageOf } from './message.ts'
import { pathOnly, shared } from './way-out.ts'
import type { Readable } from 'node:stream'
import type { Json } from '../../core/kernel/json.ts'
import type { PluginAnswer, PluginCall } from '../../ports/plugin-host.ts'
import type { Ground } from './ground.ts'
import type { Running } from './launch.ts'
import type { Program } from './program.ts'

/** A process of a plugin in http mode (contract §16) that answers one call after the other. */
type WarmProcess = {
  /** Resolves when nothing is left of it. */
  readonly ended: Promise<unknown>
  call(call: PluginCall, signal: AbortSignal): Promise<PluginAnswer>
  end(graceMs: number): Promise<void>
}

const startMs = 60_000
const socketName = 'plugin.sock'
const portSocketName = 'port.sock'
const port = 10_001

/**
 * Starts a process that serves. Null when it ends, or is not heard of in a minute: then the plugin has no http mode. Null as well for one that would listen on
 * every address of this host.
 */
async function startWarm(
  ground: Ground,
  program: Program,
  { threads, signal }: { threads: number; signal: AbortSignal },
): Promise<WarmProcess | null> {
  // Without a wall around it nothing of a plugin may listen where others reach it.
  if (!ground.sandbox.cutsNetwork && program.listensAnywhere()) return null
  const running = await launch(ground, {
    ...program.launch,
    how: 'serve',
    command: (paths) => program.command(paths, ['http', '--port', String(port)]),
    // Newer runtimes take a bare name in their working folder only.
    environment: (paths) => ({ ...program.environment(paths), GUNICORN_CONFIG_FILE: 'gunicorn.json' }),
    lay(folder) {
      const config = { bind: `unix:${socketName}`, workers: 1, threads, worker_class: 'gthread', timeout: 0, graceful_timeout: 5 }
      writeFileSync(join(folder, 'gunicorn.json'), JSON.stringify(config), { mode: 0o644 })
      return Promise.resolve([{ way: 'in', from: `${shared}/${portSocketName}`, to: String(port) }])
    },
  })
  running.input.end()
  running.out.on('error', () => {}).resume()
  const said = listen(running.err)
  const socket = await listening(ground, running, signal)
  if (socket === null) {
    await running.end(0)
    return null
  }
  void running.ended.then(() => closeSync(socket))
  return { ended: running.ended, end: running.end, call: (call, stop) => post(ground, { running, said, socket }, call, stop) }
}

type Heard = { readonly running: Running; readonly said: Said; readonly socket: number }

/** What a process says on standard error while it carries calls. */
type Said = {
  /** A call begins. */
  begin(): {
    /** The last 64 KiB of what was said since; nothing when other calls were carried meanwhile, for it may be theirs. */
    text(): string
    end(): void
  }
}

const keptBytes = 64 * 1024

function listen(from: Readable): Said {
  let kept = Buffer.alloc(0)
  let total = 0
  let under = 0
  let begun = 0
  from.on('error', () => {})
  from.on('data', (chunk: Buffer) => {
    total += chunk.length
    kept = Buffer.concat([kept, chunk]).subarray(-keptBytes)
  })
  return {
    begin() {
      const [start, mine, alone] = [total, ++begun, under === 0]
      under += 1
      return {
        text: () => (alone && begun === mine ? kept.subarray(Math.max(0, kept.length - (total - start))).toString('utf8') : ''),
        end: () => void under--,
      }
    },
  }
}

/** The descriptor of the socket that the plugin answers on. */
async function listening(ground: Ground, running: Running, signal: AbortSignal): Promise<number | null> {
  const over = new AbortController()
  void running.ended.then(() => over.abort())
  const stopped = AbortSignal.any([over.signal, signal])
  const timer = ground.clock.after(startMs, () => over.abort())
  for (let pause = 10; !stopped.aborted; pause = Math.min(pause * 1.3, 200)) {
    for (const name of [socketName, portSocketName]) {
      const socket = socketAt(inside(running, name))
      if (socket === null) continue
      if ((await ask(socket, { path: '/api/v1/status', method: 'GET', body: '', limit: 64 * 1024, signal: stopped })) !== null) {
        timer.cancel()
        return socket
      }
      closeSync(socket)
    }
    await sleep(ground.clock, pause, stopped).catch(() => {})
  }
  timer.cancel()
  return null
}

/**
 * A socket that the plugin has made, held by a descriptor: what is connected to is exactly what was looked at. By its name the plugin could lead us to any
 * other socket of this host.
 */
function socketAt(path: string): number | null {
  let descriptor: number
  try {
    descriptor = openSync(path, pathOnly | constants.O_NOFOLLOW)
  } catch {
    return null
  }
  if (fstatSync(descriptor).isSocket()) return descriptor
  closeSync(descriptor)
  return null
}

async function post(ground: Ground, heard: Heard, call: PluginCall, signal: AbortSignal): Promise<PluginAnswer> {
  const said = heard.said.begin()
  try {
    return await exchange(ground, heard, call, { signal, said: () => said.text() })
  } finally {
    said.end()
  }
}

async function exchange(
  ground: Ground,
  { running, socket }: Heard,
  call: PluginCall,
  { signal, said }: { signal: AbortSignal; said: () => string },
): Promise<PluginAnswer> {
  const { outputBytes } = ground.limits
  const of = call.what === 'test' ? (call.testOf ?? 'action') : call.what
  const path = `/${of}s/${encodeURIComponent(call.name)}${call.what === 'test' ? '/test' : ''}`
  const answer = await ask(socket, { path, method: 'POST', body: messageOf(call), limit: outputBytes, signal })
  signal.throwIfAborted()
  if (answer === null) {
    // The socket closes a little before the process is known to have ended.
    const over = await Promise.race([running.ended, sleep(ground.clock, 500).then(() => null)])
    const how = over === null ? '' : over.signal ? `, it was ended by ${over.signal}` : `, it ended with ${over.code}`
    return failed(`the process of the plugin broke off in the middle of the call${how}`, said())
  }
  if (answer === 'large') return failed(`plugin said more than ${Math.round(outputBytes / 1024 / 1024)} MiB`)
  const value = parsed(answer.body)
  const body = envelopeBody(value)
  if (body) return answerOf(body, { before: '', stderr: '' })
  const error = typeof value === 'object' && value !== null && !Array.isArray(value) && typeof value.error === 'string' ? value.error : null
  if (error !== null) return failed(error, said())
  // Why is said beside the answer, and may come after it.
  await sleep(ground.clock, 100)
  return failed(`the plugin answered ${answer.status} and no message`, said())
}

type Ask = { readonly path: string; readonly method: string; readonly body: string; readonly limit: number; readonly signal: AbortSignal }

/** One request; null when the other end broke off. */
function ask(
  socket: number,
  { path, method, body, limit, signal }: Ask,
): Promise<{ readonly status: number; readonly body: string } | 'large' | null> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string } | 'large' | null>()
  const headers = { host: 'plugin', 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  // One connection for each: to find one that the other end has just given up would leave open whether it acted.
  const sent = request({ socketPath: `/proc/self/fd/${socket}`, path, method, headers, agent: false, signal })
  sent.on('error', () => resolve(null))
  sent.on('response', (answer) => {
    const chunks: Buffer[] = []
    let size = 0
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) return void chunks.push(chunk)
      resolve('large')
      answer.destroy()
    })
    answer.on('error', () => resolve(null))
    answer.on('close', () => resolve(null))
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
  })
  sent.end(body)
  return promise
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // bounded; looked at member by member
  } catch {
    return undefined
  }
}

export type { WarmProcess }
export { startWarm }
