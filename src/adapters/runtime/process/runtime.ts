import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { constants } from 'node:fs'
import type { Clock } from '../../../core/kernel/clock.ts'
import { sleep } from '../../../core/kernel/clock.ts'
import type { Log } from '../../../core/kernel/log.ts'
import { StartError } from '../../../ports/runtime.ts'
import type { Exit, Handle, Recovered, Runtime, Started, Work } from '../../../ports/runtime.ts'
import { chooseSandbox } from './choose.ts'
import { findCgroup, makeCgroup, removeCgroup } from './cgroup.ts'
import { endLeftovers, signalWork } from './end.ts'
import type { Folder, Identity, Work as Kept } from './folder.ts'
import { folderOf, identityOf, makeFolder, namePattern, readExit, readStarted, readWork, setAside, unknownExit, writeWork } from './folder.ts'
import { giveFolders, supervise } from './launch.ts'
import { Supervisors } from './supervisors.ts'
import type { Supervisor } from './supervisors.ts'
import { follow } from './output.ts'
import { endOf } from './wait.ts'
import { readBoot, isAlive } from './proc.ts'
import { removeTree } from './remove.ts'
import type { Mechanism, Sandbox } from './sandbox.ts'
import { createUids } from './uids.ts'
import type { UidRange, Uids } from './uids.ts'
import { readMountinfo } from './view.ts'

type ProcessOptions = {
  /** A folder of this host (not of a network disk) that holds one folder per piece of work. Made if missing. */
  readonly root: string
  /** Runs work as the server itself does, by the operator's choice. */
  readonly unsandboxed: boolean
  /** Paths that work must never see, the data folder among them. */
  readonly hide: readonly string[]
  readonly clock: Clock
  readonly log: Log
  /** User ids that work may be given when the server is root; no account of the host may have one of them. */
  readonly uids?: UidRange
  /** Considers only these mechanisms, best first. */
  readonly mechanisms?: readonly Mechanism[]
  /** How many processes one piece of work may have when it does not say. */
  readonly processes?: number
}

/** A `Runtime` that says how it keeps work apart, and why not better. */
type ProcessRuntime = Runtime & { readonly isolation: { readonly mechanism: Mechanism; readonly reason: string | null } }

/** The driver that runs work as processes of this host, under supervisors that outlive the server. The sandbox is chosen here, by trying it. */
async function createProcessRuntime(options: ProcessOptions): Promise<ProcessRuntime> {
  mkdirSync(options.root, { recursive: true })
  chmodSync(options.root, 0o711)
  for (const name of await readdir(options.root)) if (/^\.(aside|probe)-/.test(name)) await removeTree(`${options.root}/${name}`)
  const range = options.uids ?? { first: 50_000, count: 10_000 }
  const uids = process.getuid?.() === 0 ? createUids(options.root, range) : null
  const { sandbox, reason } = await chooseSandbox({
    ...options,
    mechanisms: options.mechanisms ?? ['bubblewrap', 'namespaces', 'user'],
    uids: uids && range,
  })
  const cgroup =
    process.platform === 'linux'
      ? findCgroup(readMountinfo(), readFileSync('/proc/self/cgroup', 'utf8'))
      : { path: null, reason: 'this is not Linux' }
  return new Processes(options, sandbox, reason, uids, cgroup)
}

class Processes implements ProcessRuntime {
  readonly name = 'process'
  readonly capabilities: Runtime['capabilities']
  readonly isolation: ProcessRuntime['isolation']
  readonly #options: ProcessOptions
  readonly #sandbox: Sandbox
  readonly #uids: Uids | null
  readonly #cgroup: ReturnType<typeof findCgroup>
  readonly #starting = new Map<string, Promise<Started>>()
  /** The supervisors that this server started, while they have not ended. */
  readonly #supervised = new Map<string, Supervisor>()
  readonly #ends = new Map<string, Promise<Exit>>()
  readonly #supervisors: Supervisors
  readonly #closing = new AbortController()

  constructor(options: ProcessOptions, sandbox: Sandbox, reason: string | null, uids: Uids | null, cgroup: ReturnType<typeof findCgroup>) {
    this.#options = options
    this.#sandbox = sandbox
    this.#uids = uids
    this.#cgroup = cgroup
    this.#supervisors = new Supervisors({ clock: options.clock })
    this.isolation = { mechanism: sandbox.mechanism, reason }
    this.capabilities = { survivesServer: true, code: true, images: false, builds: false, limits: cgroup.path !== null, isolated: sandbox.isolated }
  }

  async unavailable(): Promise<string | null> {
    if (process.platform !== 'linux') return 'Processes are only run on Linux.'
    if (this.#closing.signal.aborted) return 'The server is stopping.'
    return access(this.#options.root, constants.W_OK).then(
      () => null,
      () => 'The folder for work cannot be written.',
    )
  }

  start(work: Work): Promise<Started> {
    const known = this.#starting.get(work.name)
    if (known) return known
    const started = this.#start(work).finally(() => this.#starting.delete(work.name))
    this.#starting.set(work.name, started)
    return started
  }

  async #start(work: Work): Promise<Started> {
    const folder = this.#folder(work.name)
    if (this.#closing.signal.aborted) throw new StartError('The server is stopping.', { retry: true })
    if (work.command.length === 0) throw new StartError('There is no command to run. Give "cmd" in the manifest.', { retry: false })
    if (!makeFolder(folder)) {
      const found = await this.#find(work.name)
      if (found.found === 'running') return { handle: found.handle, exit: null, warning: null }
      if (found.found === 'ended') return { handle: found.handle, exit: found.exit, warning: null }
      if (found.found === 'gone')
        return { handle: this.#handle(work.name, null), exit: unknownExit(folder, this.#options.clock.now()), warning: null }
      if (!makeFolder(folder)) throw new StartError('Another server starts this work just now.', { retry: true })
    }
    const processes = work.limits.processes ?? this.#options.processes ?? 1024
    const supervisor = this.#supervisors.take()
    let kept: Kept | null = null
    try {
      kept = this.#keep(work, folder, { processes, token: supervisor.token })
      await work.code?.(folder.code)
      if (kept.uid !== null) await giveFolders(folder, kept.uid)
      const launch = { folder, sandbox: this.#sandbox, work: kept, command: work.command, environment: work.environment, processes }
      await supervise(launch, supervisor, () => this.#supervisors.prepare())
      supervisor.dismiss()
      this.#adopt(work.name, supervisor)
      return { handle: this.#handle(work.name, identityOf(folder)), exit: null, warning: this.#warning(work) }
    } catch (error) {
      supervisor.dismiss()
      const cause = error instanceof StartError ? error.cause : error
      if (cause)
        this.#options.log.warn('runtime.process.start_failed', { name: work.name, cause: cause instanceof Error ? cause.message : String(cause) })
      await this.#forget(work.name, kept)
      throw error
    }
  }

  #keep(work: Work, folder: Folder, { processes, token }: { processes: number; token: string }): Kept {
    const uid = this.#sandbox.ownUser ? (this.#uids?.take(work.name) ?? null) : null
    const cgroup = this.#cgroup.path === null ? null : makeCgroup(this.#cgroup.path, work.name, work.limits, processes)
    const kept = { mechanism: this.#sandbox.mechanism, token, uid, output_limit: work.outputLimit, cgroup }
    writeWork(folder, kept)
    return kept
  }

  #warning(work: Work): string | null {
    const limited = work.limits.cpu !== null || work.limits.memoryBytes !== null
    return limited && !this.capabilities.limits ? `The limits of cpu and memory are not enforced: ${this.#cgroup.reason}.` : null
  }

  async recover(name: string): Promise<Recovered> {
    await this.#starting.get(name)?.catch(() => {})
    return this.#find(name)
  }

  async #find(name: string): Promise<Recovered> {
    const folder = this.#folder(name)
    if (!existsSync(folder.path)) return { found: 'never_started' }
    let who = readStarted(folder)
    if (who === 'none') {
      // A supervisor of a server that was killed may be on its way. Once its folder is gone from its place, it cannot make its record and gives up.
      const aside = setAside(this.#options.root, name, token())
      if (aside !== null && readStarted({ ...folder, path: aside }) === 'none') {
        await removeTree(aside)
        return { found: 'never_started' }
      }
      return { found: 'gone' }
    }
    for (let patience = 0; who === 'partial' && patience < 5; patience++) {
      await sleep(this.#options.clock, 10)
      who = readStarted(folder)
    }
    const kept = readWork(folder)
    if (typeof who === 'string' || kept === null) return { found: 'gone' }
    const handle = this.#handle(name, who)
    // Whether it lives is asked first: it may end between two questions, and then the second one must find its exit.
    const alive = isAlive(who)
    const exit = readExit(folder, kept)
    if (exit) return { found: 'ended', handle, exit }
    if (alive || this.#supervised.has(name)) return { found: 'running', handle }
    if (who.bootId === readBoot()) await endLeftovers(kept, this.#options.clock)
    return { found: 'gone' }
  }

  async wait(handle: Handle, options: { signal: AbortSignal }): Promise<Exit> {
    options.signal.throwIfAborted()
    const { promise, reject } = Promise.withResolvers<never>()
    const stop = () => reject(options.signal.reason)
    options.signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([this.#ended(handle.name), promise])
    } finally {
      options.signal.removeEventListener('abort', stop)
    }
  }

  async stop(handle: Handle, options: { graceMs: number }): Promise<void> {
    await this.#starting.get(handle.name)?.catch(() => {})
    const folder = this.#folder(handle.name)
    const kept = readWork(folder)
    const who = identityOf(folder)
    if (!kept || !who || readExit(folder, kept)) return
    const done = new AbortController()
    const ended = this.#ended(handle.name).finally(() => done.abort())
    const passes = (ms: number) => sleep(this.#options.clock, ms, done.signal).catch(() => {})
    if (options.graceMs > 0 && isAlive(who)) {
      await signalWork(who, kept, 'SIGTERM')
      await passes(options.graceMs)
    }
    // Again and again: a process that was just being made may have escaped the first time.
    while (!done.signal.aborted) {
      await signalWork(who, kept, 'SIGKILL')
      await passes(500)
    }
    await ended
  }

  async *output(handle: Handle, options: { offset: number; signal: AbortSignal }): AsyncIterable<Uint8Array> {
    await this.#starting.get(handle.name)?.catch(() => {})
    const folder = this.#folder(handle.name)
    const kept = readWork(folder)
    if (!kept) return
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    yield* follow({
      path: folder.out,
      offset: options.offset,
      limit: kept.output_limit,
      ended: this.#ended(handle.name),
      clock: this.#options.clock,
      signal,
    })
  }

  async remove(name: string): Promise<void> {
    const found = await this.recover(name)
    if (found.found === 'running') await this.stop(found.handle, { graceMs: 0 })
    await this.#forget(name, readWork(this.#folder(name)))
  }

  async #forget(name: string, kept: Kept | null): Promise<void> {
    this.#ends.delete(name)
    const aside = setAside(this.#options.root, name, token())
    if (aside !== null) await removeTree(aside)
    if (kept?.uid) this.#uids?.release(kept.uid)
    if (kept?.cgroup) removeCgroup(kept.cgroup)
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#options.root)).filter((name) => namePattern.test(name))
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The driver was closed.'))
    await Promise.allSettled(this.#starting.values())
    this.#supervisors.close()
  }

  #adopt(name: string, supervisor: Supervisor): void {
    if (!supervisor.alive()) return
    this.#supervised.set(name, supervisor)
    void supervisor.ended.then(() => this.#supervised.delete(name))
  }

  /** One promise per piece of work, however many wait for it. */
  #ended(name: string): Promise<Exit> {
    const known = this.#ends.get(name)
    if (known) return known
    const ended = endOf(this.#folder(name), {
      supervisor: this.#supervised.get(name) ?? null,
      clock: this.#options.clock,
      closing: this.#closing.signal,
    })
    this.#ends.set(name, ended)
    ended.catch(() => {}).finally(() => this.#ends.delete(name))
    return ended
  }

  #folder(name: string): Folder {
    if (!namePattern.test(name)) throw new StartError('The name of the work is not of lower-case letters, digits and "-".', { retry: false })
    return folderOf(this.#options.root, name)
  }

  #handle(name: string, who: Identity | null): Handle {
    return { name, runtime: this.name, data: { pid: who?.pid ?? null, start_time: who?.startTime ?? null, boot_id: who?.bootId ?? null } }
  }
}

function token(): string {
  return randomBytes(16).toString('hex')
}

export type { ProcessOptions, ProcessRuntime }
export { createProcessRuntime }
