import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { LetGo } from '../../core/kernel/let-go.ts'
import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { StartError } from '../../ports/runtime.ts'
import { removeCgroup } from '../runtime/process/cgroup.ts'
import { identityOf, readWork, writeWork } from '../runtime/process/folder.ts'
import { supervise } from '../runtime/process/launch.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { directly } from '../runtime/process/supervisors.ts'
import { answerOfEnd, verbOf } from './cold.ts'
import { callFolder, callsIn, folderAt, makeCallFolder, readRecord, stateOf, stepFolder, stepsIn, writeRecord } from './kept-folder.ts'
import { watchCall } from './kept-process.ts'
import { messageOf } from './message.ts'
import { prepare, refusal } from './prepare.ts'
import { openWayOut } from './way-out.ts'
import type { PluginAnswer, PluginCall, PluginCallKey, PluginStep } from '../../ports/plugin-host.ts'
import type { Folder, Work } from '../runtime/process/folder.ts'
import type { Supervisor } from '../runtime/process/supervisors.ts'
import type { Ground } from './ground.ts'
import type { CallRecord, CallState } from './kept-folder.ts'
import type { KeptProcess } from './kept-process.ts'
import type { Program } from './program.ts'

type Signals = { readonly signal: AbortSignal; readonly closing: AbortSignal }

/** Calls of plugins that outlive the server: each a process under a supervisor, found again by its key, its answer kept until nobody can ask for it. */
class KeptCalls {
  readonly #ground: Ground
  /** By their folders: those that run and are watched here. */
  readonly #running = new Map<string, KeptProcess>()
  /** Folders of steps that are known to be there. */
  readonly #steps = new Set<string>()

  constructor(ground: Ground) {
    this.#ground = ground
  }

  made(key: PluginCallKey): boolean {
    return existsSync(callFolder(this.#ground.work, key))
  }

  async recovers(step: PluginStep): Promise<boolean> {
    const path = stepFolder(this.#ground.work, step)
    const calls = callsIn(path)
    if (calls.length === 0) return false
    this.#steps.add(path)
    for (const [at, call] of calls.entries()) {
      if (at % 100 === 99) await setImmediate() // thousands of elements must not hold up everybody else
      if ((await this.#look(call)) === 'gone') return false
    }
    return true
  }

  /** A call that was made before: to be waited for. Null when there is none, or nothing is left of it. */
  async find(key: PluginCallKey): Promise<KeptProcess | null> {
    const path = callFolder(this.#ground.work, key)
    if (!existsSync(path)) return null
    this.#steps.add(stepFolder(this.#ground.work, key))
    const state = await this.#look(path)
    const folder = folderAt(path)
    if (state === 'running') return this.#running.get(path) ?? null
    const kept = keptIn(folder)
    if (state === 'ended' && kept) return watchCall(this.#ground, { folder, ...kept, supervisor: null, release: () => {} })
    await this.#remove(path)
    return null
  }

  /** It is known from now on that the call was not begun, for who asks after a restart. */
  announce(key: PluginCallKey): void {
    makeCallFolder(this.#ground.work, key)
    this.#steps.add(stepFolder(this.#ground.work, key))
  }

  /** Begins a call that was announced. Throws `PluginRefused` when it cannot be begun. */
  async begin(key: PluginCallKey, program: Program, call: PluginCall): Promise<KeptProcess> {
    const { sandbox, limits, clock, log } = this.#ground
    const folder = folderAt(callFolder(this.#ground.work, key))
    const token = randomBytes(16).toString('hex')
    const { uid } = program.launch
    const prepared = await prepare(
      this.#ground,
      {
        ...program.launch,
        how: 'message',
        command: (paths) => program.command(paths, [verbOf(call)]),
        environment: (paths) => program.environment(paths),
      },
      { folder, name: `plugin-${token.slice(0, 16)}` },
    ).catch((error: unknown) => {
      throw refusal(error)
    })
    const { command, environment, cgroup, network, wayOut } = prepared
    const work = { mechanism: sandbox.mechanism, token, uid, output_limit: limits.outputBytes + 1, cgroup }
    const record: CallRecord = {
      deadline: clock.now() + call.timeoutMs,
      timeout_ms: call.timeoutMs,
      connection: call.connection?.key ?? '',
      way_out: wayOut,
    }
    let supervisor: Supervisor | null = null
    try {
      writeWork(folder, work)
      writeRecord(folder, record)
      supervisor = directly(token)
      const given = { folder: prepared.folder, sandbox, work, command, environment, processes: limits.processes, message: messageOf(call) }
      await supervise({ ...given, ...network }, supervisor, () => {})
    } catch (error) {
      // A sandbox that could not be set up ends as the plugin would, and says why on its standard error.
      if (!(error instanceof StartError && identityOf(folder) !== null)) {
        supervisor?.dismiss()
        prepared.release()
        log.warn('plugin.start_failed', { error: error instanceof StartError ? (error.cause ?? error) : error })
        throw refusal(error)
      }
    }
    supervisor?.dismiss()
    return this.#watched(folder.path, watchCall(this.#ground, { folder, work, record, supervisor, release: prepared.release }))
  }

  /** The answer of a call, when it has ended. */
  async answer(process: KeptProcess, call: PluginCall, { signal, closing }: Signals): Promise<PluginAnswer> {
    const { promise, reject } = Promise.withResolvers<never>()
    const leave = (reason: unknown) => {
      process.detach()
      reject(reason)
    }
    const abort = () => (signal.reason instanceof LetGo ? leave(signal.reason) : process.stop('called off', this.#ground.limits.graceMs))
    const close = () => leave(new PluginInterrupted('The server stopped while the plugin was called'))
    signal.addEventListener('abort', abort, { once: true })
    closing.addEventListener('abort', close, { once: true })
    try {
      if (signal.aborted) abort()
      if (closing.aborted) close()
      const end = await Promise.race([process.ended, promise])
      signal.throwIfAborted()
      const answer = answerOfEnd(this.#ground, end, process.record.timeout_ms)
      return process.record.connection === (call.connection?.key ?? '') ? answer : withheld(answer)
    } finally {
      signal.removeEventListener('abort', abort)
      closing.removeEventListener('abort', close)
    }
  }

  kept(): PluginStep[] {
    const { work } = this.#ground
    const steps = stepsIn(work)
    for (const step of steps) this.#steps.add(stepFolder(work, step))
    return steps
  }

  async release(step: PluginStep, closing: AbortSignal): Promise<void> {
    const path = stepFolder(this.#ground.work, step)
    if (!this.#steps.delete(path)) return
    for (const call of callsIn(path)) {
      if ((await this.#look(call)) === 'running' && !(await this.#end(call, closing))) return
      await this.#remove(call)
    }
    await removeTree(path)
  }

  async #end(path: string, closing: AbortSignal): Promise<boolean> {
    const process = this.#running.get(path)
    if (!process) return true
    process.stop('called off', this.#ground.limits.graceMs)
    const { promise, resolve } = Promise.withResolvers<false>()
    const leave = () => {
      process.detach()
      resolve(false)
    }
    closing.addEventListener('abort', leave, { once: true })
    if (closing.aborted) leave()
    const ended = await Promise.race([process.ended.then(() => true), promise])
    closing.removeEventListener('abort', leave)
    return ended
  }

  /** What became of a call. One that runs is watched from then on, and its way out is open again. */
  async #look(path: string): Promise<CallState> {
    if (this.#running.has(path)) return 'running'
    const folder = folderAt(path)
    const state = await stateOf(folder, this.#ground.clock)
    const kept = keptIn(folder)
    if (state !== 'running' || !kept || this.#running.has(path)) return state
    const release = await this.#openAgain(folder, kept.record)
    this.#watched(path, watchCall(this.#ground, { folder, ...kept, supervisor: null, release }))
    this.#ground.log.info('plugin.recovered', { pid: identityOf(folder)?.pid })
    return 'running'
  }

  async #openAgain(folder: Folder, { way_out: again }: CallRecord): Promise<() => void> {
    const { egressProxy, log } = this.#ground
    try {
      return (await openWayOut(egressProxy, { folder: folder.home, cut: again.cut, again })).close
    } catch (error) {
      // The folder is the plugin's: it can put something else there.
      log.warn('plugin.network', { why: 'the way out of a call of before the restart could not be opened again, so it reaches nothing', error })
      return () => {}
    }
  }

  #watched(path: string, process: KeptProcess): KeptProcess {
    const forget = () => {
      if (this.#running.get(path) === watched) this.#running.delete(path)
    }
    const watched: KeptProcess = {
      ...process,
      detach() {
        forget()
        process.detach()
      },
    }
    this.#running.set(path, watched)
    process.ended.then(forget, forget)
    return watched
  }

  async #remove(path: string): Promise<void> {
    const { cgroup = null } = readWork(folderAt(path)) ?? {}
    if (cgroup !== null) removeCgroup(cgroup)
    await removeTree(path)
  }
}

function keptIn(folder: Folder): { readonly work: Work; readonly record: CallRecord } | null {
  const work = readWork(folder)
  const record = readRecord(folder)
  return work && record && { work, record }
}

// What it said may hold secrets that the connection had then: nobody knows them any more, so they could not be masked.
function withheld(answer: PluginAnswer): PluginAnswer {
  const log = 'The connection was changed while no server ran: what the plugin said is not shown\n'
  return { ...answer, log, error: answer.status === 'ok' ? null : 'the plugin failed, and its connection was changed meanwhile', exception: null }
}

export { KeptCalls }
