import { chownSync } from 'node:fs'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { makeCgroup, removeCgroup } from '../runtime/process/cgroup.ts'
import { searchPath } from '../runtime/process/environment.ts'
import { nodeOf, places } from './ground.ts'
import { beginScript } from './scripts.ts'
import { openWayOut } from './way-out.ts'
import type { Folder } from '../runtime/process/folder.ts'
import type { OwnFolders, Place } from '../runtime/process/view.ts'
import type { Ground } from './ground.ts'
import type { Again, Door } from './way-out.ts'

/** What a process of a plugin needs to begin. Its command and environment are made when it is known where it will find things. */
type Launch = {
  /** The folder of the package. */
  readonly package: string
  readonly uid: number | null
  /** Folders that outlive the process: cache, environment. */
  readonly more: readonly Place[]
  command(paths: Paths): readonly string[]
  environment(paths: Paths): Readonly<Record<string, string>>
  /** `message`: standard input is what is written to `input`; `serve`: it stays. Both begin in the package or, `serve`, in a folder of their own. */
  readonly how: 'message' | 'serve'
  /** Lays what the process finds in the folder that both sides see, before it begins; gives doors besides the one to the network. */
  readonly lay?: (folder: string) => Promise<readonly Door[]>
  /** A limit of address space does not fit programs that reserve much and use little. */
  readonly addressSpace: boolean
}

/** Where the process finds things. */
type Paths = { readonly package: string; readonly own: string; readonly at: (place: string, from: string) => string }

/** What stands when a process of a plugin is about to begin. */
type Prepared = {
  /** With what its sandbox shows. */
  readonly folder: Folder & OwnFolders
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly cgroup: string | null
  readonly network: { readonly network?: 'none' }
  /** What a later server opens its way out again by. */
  readonly wayOut: Again
  /** Closes its way out and gives back its cgroup; the folder stays. */
  release(): void
}

/** Opens the way out of a process, limits it and lays what it finds, in a folder that was made for it. */
async function prepare(ground: Ground, what: Launch, { folder, name }: { folder: Folder; name: string }): Promise<Prepared> {
  const { sandbox, limits } = ground
  const own = {
    ...folder,
    code: what.package,
    codeReadOnly: true as const,
    ...(sandbox.mechanism === 'bubblewrap' ? { tmpBytes: limits.fileBytes } : {}),
  }
  const found = sandbox.paths(own)
  const isolated = sandbox.mechanism !== 'none'
  const paths: Paths = { package: found.code, own: found.home, at: (place, from) => (isolated ? place : from) }
  const cut = sandbox.cutsNetwork
  const wayOut = await openWayOut(ground.egressProxy, { folder: folder.home, cut })
  const laid = (await what.lay?.(folder.home)) ?? []
  const doors = cut ? [...wayOut.doors, ...laid] : []
  const node = nodeOf(sandbox)
  const more: Place[] = [
    { from: node.folder, to: places.node, writable: false },
    { from: ground.relay.folder, to: places.relay, writable: false },
    ...what.more,
  ]
  if (what.uid !== null) for (const path of [folder.task, folder.home, folder.tmp]) chownSync(path, what.uid, what.uid)
  const cgroup =
    ground.cgroup === null
      ? null
      : makeCgroup(ground.cgroup, name, { cpu: limits.cpu, memoryBytes: limits.memoryBytes, processes: null }, limits.processes)
  const begin = [
    what.how,
    what.how === 'serve' ? found.home : found.code,
    // Where a cgroup counts what is really used, what is only reserved need not be limited.
    cgroup === null && what.addressSpace ? String(Math.ceil(limits.memoryBytes / 1024)) : '',
    String(Math.ceil(limits.fileBytes / 512)),
    '',
    cut ? node.path : '',
    cut ? `${places.relay}/${ground.relay.name}` : '',
    doors.map(({ way, from, to }) => `${way}:${from}:${to}`).join(' '),
  ]
  return {
    folder: { ...own, more },
    command: ['/bin/sh', '-c', beginScript, 'plugin', ...begin, ...what.command(paths)],
    environment: { ...base(ground, found.tmp), ...wayOut.environment, ...what.environment(paths) },
    cgroup,
    network: cut ? { network: 'none' } : {},
    wayOut: wayOut.again,
    release() {
      wayOut.close()
      if (cgroup !== null) removeCgroup(cgroup)
    },
  }
}

/** What every plugin is given, and nothing of the server's. */
function base({ certificates }: Ground, tmp: string): Record<string, string> {
  const trust =
    certificates === null
      ? {}
      : { SSL_CERT_FILE: certificates, REQUESTS_CA_BUNDLE: certificates, PIP_CERT: certificates, NODE_EXTRA_CA_CERTS: certificates }
  return {
    PATH: searchPath,
    HOME: tmp,
    TMPDIR: tmp,
    LANG: 'C.UTF-8',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    SSL_CERT_DIR: '/etc/ssl/certs',
    ...trust,
  }
}

/** What whoever called the plugin hears when its process could not be started. */
function refusal(error: unknown): PluginRefused {
  if (error instanceof PluginRefused) return error
  return new PluginRefused('A process of the plugin cannot be started just now. An operator finds the cause in the log.', { cause: error })
}

export type { Launch, Paths, Prepared }
export { prepare, refusal }
