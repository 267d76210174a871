import type { Clock } from '../../core/kernel/clock.ts'
import type { Log } from '../../core/kernel/log.ts'

/** Where this adapter says what went wrong inside. */
type GitLog = Pick<Log, 'warn'>

/** What every part of this adapter works with: one per server. */
type GitHost = {
  /** The real path of the folder that holds the repositories. */
  readonly root: string
  readonly log: GitLog
  readonly clock: Clock
  /** Budget of one read. */
  readonly timeoutMs: number
  /** The git program, and where it and its helpers are looked for. */
  readonly program: string
  readonly searchPath: string
  /** Every process that runs just now, so that closing leaves none. */
  readonly children: Set<{ end(): Promise<unknown> }>
}

const defaultSearchPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin'

/** Marks our children, so that a later start finds those that outlived a killed server (see sweep.ts). */
const marker = 'CAPSTAN_GIT_ROOT'

// Protected configuration: it comes with the call and beats whatever a repository's own file says.
const protectedConfig: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  // Nothing is borrowed from other storage, so there is nothing to list; an empty value here would be run, and complained about to the client.
  ['core.alternateRefsCommand', 'true'],
  ['core.logAllRefUpdates', 'false'],
  ['core.warnAmbiguousRefs', 'false'],
  ['core.protectHFS', 'true'],
  ['core.protectNTFS', 'true'],
  // A push that was acknowledged survives a power cut. Git's own default leaves small pushes in the page cache.
  ['core.fsync', 'all'],
  ['core.fsyncMethod', 'fsync'],
  ['core.filesRefLockTimeout', '2000'],
  ['core.packedRefsTimeout', '5000'],
  ['gc.auto', '0'],
  ['gc.autoDetach', 'false'],
  ['maintenance.auto', 'false'],
  ['protocol.allow', 'never'],
  ['pack.windowMemory', '256m'],
  ['transfer.fsckObjects', 'false'],
  ['receive.autogc', 'false'],
  // Every push stays one synced pack: thousands of loose objects would mean thousands of syncs.
  ['receive.unpackLimit', '1'],
  ['receive.advertiseAtomic', 'true'],
  ['receive.advertisePushOptions', 'true'],
  ['receive.denyDeleteCurrent', 'ignore'],
  ['receive.denyNonFastForwards', 'false'],
  // Heads of pull requests are ours to write.
  ['receive.hideRefs', 'refs/pull'],
  ['receive.fsckObjects', 'true'],
  // Names that could leave a folder or reach into .git are refused at the door; git only warns by default.
  ['receive.fsck.hasDot', 'error'],
  ['receive.fsck.hasDotdot', 'error'],
  ['receive.fsck.hasDotgit', 'error'],
  ['receive.fsck.fullPathname', 'error'],
  ['receive.fsck.emptyName', 'error'],
  ['receive.fsck.nullSha1', 'error'],
  // Slips of old tools that real histories are full of and that harm nobody.
  ['receive.fsck.zeroPaddedFilemode', 'ignore'],
  ['receive.fsck.missingSpaceBeforeDate', 'ignore'],
  ['receive.fsck.missingSpaceBeforeEmail', 'ignore'],
  ['receive.fsck.missingNameBeforeEmail', 'ignore'],
  ['receive.fsck.missingEmail', 'ignore'],
  ['receive.fsck.missingTaggerEntry', 'ignore'],
  ['receive.fsck.badTimezone', 'ignore'],
  ['receive.fsck.badTagName', 'ignore'],
  ['uploadpack.allowFilter', 'true'],
  // Protocol v2 gives any object by id anyway; v0 clients need it to fill in a partial clone.
  ['uploadpack.allowAnySHA1InWant', 'true'],
]

type GitConfig = readonly (readonly [string, string])[]

/**
 * The whole environment of a git process: nothing is inherited from ours. `directory` is the repository it works in. What must not be seen among the
 * arguments of processes goes in as `further` configuration.
 */
function gitEnvironment(
  host: GitHost,
  directory: string,
  extra: Readonly<Record<string, string>> = {},
  further: GitConfig = [],
): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: host.searchPath,
    HOME: `${host.root}/.home`,
    LANG: 'C',
    LC_ALL: 'C',
    [marker]: host.root,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_ALLOW_PROTOCOL: '',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    // A pushed refs/replace/… must not change what an id means here.
    GIT_NO_REPLACE_OBJECTS: '1',
    ...extra,
  }
  const config = [...protectedConfig, ['safe.directory', directory] as const, ...further]
  environment.GIT_CONFIG_COUNT = String(config.length)
  for (const [index, [key, value]] of config.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key
    environment[`GIT_CONFIG_VALUE_${index}`] = value
  }
  return environment
}

/** The Git-Protocol header as the variable that git reads, or nothing when the header is not of the published form. */
function protocolVariable(header: string | null): Record<string, string> {
  return header !== null && header.length <= 200 && /^version=[012](?::[a-z0-9-]+(?:=[A-Za-z0-9._-]+)?)*$/.test(header)
    ? { GIT_PROTOCOL: header }
    : {}
}

export type { GitLog, GitHost, GitConfig }
export { protectedConfig, defaultSearchPath, marker, gitEnvironment, protocolVariable }
