import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { ownProgram } from '../../core/kernel/own-file.ts'
import { chooseSandbox } from '../runtime/process/choose.ts'
import { findCgroup } from '../runtime/process/cgroup.ts'
import { createUids } from '../runtime/process/uids.ts'
import { readMountinfo } from '../runtime/process/view.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { oldLedgers } from './kept-folder.ts'
import { endOrphan } from './orphans.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Log } from '../../core/kernel/log.ts'
import type { EgressProxy } from '../../ports/egress.ts'
import type { Sandbox, Mechanism } from '../runtime/process/sandbox.ts'
import type { Uids } from '../runtime/process/uids.ts'

type Limits = {
  /** Of one process with all that it starts. */
  readonly memoryBytes: number
  readonly processes: number
  /** Of one file that a plugin writes, and of its temporary folder. */
  readonly fileBytes: number
  readonly cpu: number
  /** Of what a call may answer. */
  readonly outputBytes: number
  /** How long a process that was asked to end has for it. */
  readonly graceMs: number
}

type GroundOptions = {
  /** A folder of this host for processes, environments and caches. */
  readonly work: string
  readonly hide: readonly string[]
  /** Other servers use the folder as well. */
  readonly shared?: boolean
  readonly unsandboxed: boolean
  readonly mechanisms?: readonly Mechanism[]
  readonly limits?: Partial<Limits>
  readonly egressProxy: EgressProxy
  readonly clock: Clock
  readonly log: Log
}

/** What every process of a plugin stands on: the sandbox of this host, user ids, limits, the way out. */
type Ground = {
  readonly work: string
  readonly sandbox: Sandbox
  /** Why plugins are not kept apart as they should be; null when they are. */
  readonly reason: string | null
  readonly uids: Uids | null
  readonly cgroup: string | null
  readonly limits: Limits
  readonly egressProxy: EgressProxy
  readonly clock: Clock
  readonly log: Log
  /** The folder with the relay's program, and its name in there. */
  readonly relay: { readonly folder: string; readonly name: string }
  /** The first of the host's files with certificates of authorities; null: it has none. */
  readonly certificates: string | null
}

const standard: Limits = {
  memoryBytes: 1024 * 1024 * 1024,
  // Threads count, and all processes of one plugin together where there is no cgroup.
  processes: 1024,
  fileBytes: 256 * 1024 * 1024,
  cpu: 1,
  outputBytes: 10 * 1024 * 1024,
  graceMs: 10_000,
}

// Besides those of tasks.
const uidRange = { first: 40_000, count: 10_000 }

/** Folders of the sandbox's root: the program that runs plugins in JavaScript, our relay, the environment of a plugin in Python. */
const places = { node: '/plugin/node', relay: '/plugin/relay', environment: '/plugin/environment', cache: '/var/cache' } as const

const bundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem', '/etc/ssl/ca-bundle.pem']

/** Chooses the sandbox by trying it, and ends what an earlier server that was killed has left behind. */
async function prepareGround(options: GroundOptions): Promise<Ground> {
  const { work, hide, unsandboxed, clock, log, egressProxy, shared = false } = options
  mkdirSync(work, { recursive: true, mode: 0o711 })
  const relay = layRelay(work)
  for (const name of readdirSync(work)) {
    const host = /^host-[0-9a-f]+$/.test(name)
    if (host && !(await endOrphan(join(work, name), { log, shared }))) continue
    if (host || (!shared && name.startsWith('.probe-'))) await removeTree(join(work, name))
  }
  for (const path of oldLedgers(work, shared)) await removeTree(path)
  const uids = process.getuid?.() === 0 ? createUids(work, uidRange) : null
  const mechanisms = options.mechanisms ?? (['bubblewrap', 'namespaces'] as const)
  const mounted = [places.node, places.relay, places.environment].map((path) => path.slice(1))
  const chosen = await chooseSandbox({ root: work, unsandboxed, hide, mechanisms, uids: uids && uidRange, places: mounted })
  const { sandbox } = chosen
  const open = sandbox.isolated && !sandbox.cutsNetwork ? `${sandbox.mechanism} does not keep plugins from the network of this host` : null
  const cgroup = process.platform === 'linux' ? findCgroup(readMountinfo(), readFileSync('/proc/self/cgroup', 'utf8')) : { path: null }
  return {
    ...{ work, sandbox, uids, egressProxy, clock, log, relay },
    reason: sandbox.isolated ? [open, open && chosen.reason].filter(Boolean).join('; ') || null : chosen.reason,
    cgroup: cgroup.path,
    limits: { ...standard, ...options.limits },
    certificates: bundles.find((path) => existsSync(path)) ?? null,
  }
}

// Copied, so that nothing else of ours is shown to plugins. The ending says that it is a module: no package.json is there to say it.
function layRelay(work: string): Ground['relay'] {
  const program = ownProgram('adapters/plugin-host/relay')
  const folder = join(work, '.relay')
  const name = extname(program) === '.ts' ? 'relay.mts' : 'relay.mjs'
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  // By a rename: another server of this folder may be starting a process just now.
  const fresh = join(folder, `.${randomBytes(8).toString('hex')}`)
  copyFileSync(program, fresh)
  renameSync(fresh, join(folder, name))
  return { folder, name }
}

/** The program that runs JavaScript, as the host sees it and as a plugin does. */
function nodeOf(sandbox: Sandbox): { readonly folder: string; readonly path: string } {
  const folder = dirname(process.execPath)
  const name = process.execPath.slice(folder.length + 1)
  return { folder, path: sandbox.mechanism === 'none' ? process.execPath : `${places.node}/${name}` }
}

export type { Ground, GroundOptions, Limits }
export { prepareGround, nodeOf, places }
