import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { ownFile } from '../../core/kernel/own-file.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Log } from '../../core/kernel/log.ts'

/** Where this adapter says what went wrong inside. */
type HgLog = Pick<Log, 'warn'>

/** What every part of this adapter works with: one per server. */
type HgHost = {
  /** The real path of the folder that holds the repositories. */
  readonly root: string
  /** A folder of our own, mode 0700, for sockets and throw-away working copies. */
  readonly scratch: string
  readonly log: HgLog
  readonly clock: Clock
  /** Budget of one read, and of one act (a fork, a merge). */
  readonly timeoutMs: number
  readonly actMs: number
  /** The full path of the hg program; null when there is none. */
  readonly program: string | null
  /** Most memory of one process that handles a request, in bytes of address space. */
  readonly memoryBytes: number
  /** Every process that runs just now, so that closing leaves none. */
  readonly children: Set<{ end(): Promise<unknown> }>
}

/** Only where a system puts the hg that its own python runs: another interpreter earlier on a PATH does not have Mercurial's modules. */
const searchPath = '/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin'

/** Marks our children, so that a later start finds those that outlived a killed server (see sweep.ts). */
const marker = 'CAPSTAN_HG_ROOT'

const extension = ownFile('src/adapters/hg/capstan_hg.py')

/** The full path of a program, or null when there is nothing to run. */
function findProgram(name: string): string | null {
  const candidates = isAbsolute(name) ? [name] : searchPath.split(delimiter).map((folder) => join(folder, name))
  return candidates.find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const fixedConfig: readonly string[] = [
  `extensions.capstan=${extension}`,
  'ui.interactive=no',
  // As long as a backup may hold the lock of a large repository.
  'ui.timeout=120',
  'ui.merge=internal:merge',
  'ui.ssh=/bin/false',
  'ui.report_untrusted=no',
  'worker.enabled=no',
  'phases.publish=yes',
  'server.validate=yes',
  'web.push_ssl=no',
  'web.cache=no',
  // Another system's code in a working copy: never fetched, never run.
  'subrepos.allowed=no',
  'subrepos.hg:allowed=no',
  'subrepos.git:allowed=no',
  'subrepos.svn:allowed=no',
]

/** The arguments that come before every command: our configuration beats whatever else there might be. */
function configArgs(more: readonly string[] = []): string[] {
  return [...fixedConfig, ...more].flatMap((setting) => ['--config', setting])
}

/** The whole environment of an hg process: nothing is inherited from ours, and no file of configuration is read, the repository's own least of all. */
function hgEnvironment(host: HgHost, extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: searchPath,
    HOME: host.scratch,
    TMPDIR: host.scratch,
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    HGENCODING: 'utf-8',
    HGPLAIN: '1',
    HGRCPATH: '',
    HGRCSKIPREPO: '1',
    HGUSER: 'capstan',
    HGMERGE: 'internal:merge',
    EDITOR: '/bin/false',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONNOUSERSITE: '1',
    CAPSTAN_HG_MEMORY: String(host.memoryBytes),
    [marker]: host.root,
    ...extra,
  }
}

export type { HgLog, HgHost }
export { marker, findProgram, configArgs, hgEnvironment }
