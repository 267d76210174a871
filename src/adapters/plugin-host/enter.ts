import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { ownProgram } from '../../core/kernel/own-file.ts'
import { searchPath } from '../runtime/process/environment.ts'
import { shared } from './way-out.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Door } from './way-out.ts'

/** Whose network is entered, and what is opened in there. */
type Entered = {
  /** The first process of the container, as the engine tells it. */
  readonly pid: number
  readonly id: string
  /** Who carries the connections: nobody else's user. */
  readonly uid: number
  /** The folder with the sockets that the doors end at; the user may enter it. */
  readonly folder: string
  readonly doors: readonly Door[]
  readonly clock: Clock
}

const readyMs = 10_000
const programs = ['/usr/bin/nsenter', '/bin/nsenter']
const program = programs.find((path) => existsSync(path)) ?? null
// The relay carries what a plugin sends, and counts for no limit of the plugin's: so it has few of its own.
const script = 'ulimit -n 512; exec "$@"'

/** Why this server cannot open doors in the network of a container; null when it can. */
function closedBecause(local: boolean): string | null {
  if (!local) return 'the Docker engine is on another machine'
  if (process.platform !== 'linux' || program === null) return 'the program "nsenter" is not here'
  return process.getuid?.() === 0 ? null : 'the server does not run as root'
}

/**
 * Opens doors on the loopback of a container that has no network: a relay of ours runs in its network and nowhere else of it, for as long as the server
 * holds it. Null when it cannot; then the container reaches nothing.
 */
async function enterNetwork({ pid, id, uid, folder, doors, clock }: Entered): Promise<{ close(): void } | null> {
  const network = openNetwork(pid, id)
  if (network === null || program === null) return null
  const relay = ownProgram('adapters/plugin-host/relay')
  // Told as text: its user may not enter the folders that it is read from.
  const text = readFileSync(relay, 'utf8')
  const who = [`--setuid=${uid}`, `--setgid=${uid}`]
  const node = [process.execPath, '--max-old-space-size=64', `--input-type=module${extname(relay) === '.ts' ? '-typescript' : ''}`, '--eval', text]
  const inner = doors.map(({ way, from, to }) => `${way}:${from}:${to.replace(`${shared}/`, '')}`)
  const child = spawn('/bin/sh', ['-c', script, 'enter', program, '--net=/proc/self/fd/3', ...who, '--', ...node, 'relay', 'held', ...inner], {
    cwd: folder,
    env: { PATH: searchPath },
    stdio: ['pipe', 'pipe', 'ignore', network],
  })
  closeSync(network)
  const close = () => void child.kill('SIGKILL')
  const { promise, resolve } = Promise.withResolvers<boolean>()
  let said = ''
  child.stdin?.on('error', () => {})
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
  child.stdout?.once('end', () => resolve(said === 'ready'))
  child.once('error', () => resolve(false))
  const timer = clock.after(readyMs, () => resolve(false))
  const ready = await promise
  timer.cancel()
  if (ready) return { close }
  close()
  return null
}

// Opened first and looked at then: a number that the kernel has given to another process meanwhile is not the container's.
function openNetwork(pid: number, id: string): number | null {
  if (!Number.isSafeInteger(pid) || pid <= 1) return null
  try {
    const network = openSync(`/proc/${pid}/ns/net`, 'r')
    if (readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id)) return network
    closeSync(network)
  } catch {}
  return null
}

export { closedBecause, enterNetwork }
