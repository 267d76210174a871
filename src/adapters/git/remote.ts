import { GitTimeout } from '../../ports/git.ts'
import { RemoteFailed } from '../../ports/mirror.ts'
import type { Remote } from '../../ports/mirror.ts'
import { protectedConfig } from './environment.ts'
import type { GitConfig, GitHost } from './environment.ts'
import { isOid, isRefName } from './names.ts'
import { startGit } from './process.ts'
import type { GitExit } from './process.ts'

/** What a remote says that it has. */
type Listing = {
  readonly heads: ReadonlyMap<string, string>
  readonly tags: ReadonlyMap<string, string>
  /** The full name of its default branch, if it says so. */
  readonly head: string | null
  /** Names that are none here. */
  readonly skipped: readonly string[]
}

/** How long one transfer may take, and how long nothing may move in it. */
const transferMs = 55 * 60 * 1000
const stallSeconds = 60
const probeMs = 60_000
const listingBytes = 64 * 1024 * 1024
const name = 'capstan'

/** Asks a remote for its branches and tags. `RemoteFailed` when it cannot be read. */
async function listRemote(host: GitHost, remote: Remote, signal: AbortSignal): Promise<Listing> {
  // No repository is needed for this; the ceiling keeps git from finding one above our folder.
  const { exit, text } = await runRemote(host, remote, ['ls-remote', '--symref', name, 'HEAD', 'refs/heads/*', 'refs/tags/*'], {
    directory: `${host.root}/.home`,
    signal,
    timeoutMs: probeMs,
  })
  if (exit.code !== 0) throw remoteFailed(remote, exit)
  return readListing(text)
}

/** Brings the objects that these ids lead to into a repository, as one synced pack that no ref points at yet. */
async function fetchObjects(host: GitHost, directory: string, remote: Remote, objects: readonly string[], signal: AbortSignal): Promise<void> {
  const args = ['fetch', '--quiet', '--stdin', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules', name]
  const { exit } = await runRemote(host, remote, [`--git-dir=${directory}`, ...args], {
    directory,
    signal,
    timeoutMs: transferMs,
    input: [...new Set(objects)].map((object) => `${object}\n`).join(''),
  })
  if (exit.code !== 0) throw remoteFailed(remote, exit)
}

type RunOptions = { readonly directory: string; readonly signal: AbortSignal; readonly timeoutMs: number; readonly input?: string }

async function runRemote(host: GitHost, remote: Remote, args: readonly string[], options: RunOptions): Promise<{ exit: GitExit; text: string }> {
  options.signal.throwIfAborted()
  const git = startGit(host, args, {
    directory: options.directory,
    // http to https is the one change of protocol that a redirect may make; the other way the pass is shut.
    extra: { GIT_ALLOW_PROTOCOL: 'http:https', GIT_CEILING_DIRECTORIES: host.root },
    config: configOf(remote),
  })
  let ended: 'late' | 'aborted' | 'large' | null = null
  const stop = (why: typeof ended) => {
    ended ??= why
    void git.end()
  }
  const timer = host.clock.after(options.timeoutMs, () => stop('late'))
  const abort = () => stop('aborted')
  options.signal.addEventListener('abort', abort, { once: true })
  const chunks: Buffer[] = []
  let size = 0
  try {
    git.stdin.end(options.input ?? '')
    for await (const chunk of git.stdout as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size <= listingBytes) chunks.push(chunk)
      else if (ended === null) stop('large')
    }
  } catch {
    // It was ended: why is known.
  } finally {
    timer.cancel()
    options.signal.removeEventListener('abort', abort)
  }
  const exit = ended === null ? await git.exited : await git.end()
  if (ended !== null) {
    options.signal.throwIfAborted()
    if (ended === 'large') throw new RemoteFailed('it lists more branches and tags than are taken')
    throw new GitTimeout(`git ${args.find((arg) => !arg.startsWith('-'))} took longer than ${options.timeoutMs} ms`)
  }
  return { exit, text: Buffer.concat(chunks).toString('utf8') }
}

// In the environment, which only we can read, and not among the arguments, which everybody on this machine can.
function configOf({ url, credentials, pass }: Remote): GitConfig {
  const basic = credentials && Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')
  const checks = protectedConfig.filter(([key]) => key.startsWith('receive.fsck'))
  return [
    [`remote.${name}.url`, url],
    ['http.proxy', `http://${pass.user}:${pass.password}@${pass.host}:${pass.port}`],
    ['http.proxyAuthMethod', 'basic'],
    // Of the first request only, as git does it itself; whereto, the pass decides.
    ['http.followRedirects', 'initial'],
    ...(basic ? ([['http.extraHeader', `Authorization: Basic ${basic}`]] as const) : []),
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', String(stallSeconds)],
    ['credential.helper', ''],
    ['fetch.unpackLimit', '1'],
    ['fetch.recurseSubmodules', 'false'],
    ['fetch.bundleURI', ''],
    ['transfer.bundleURI', 'false'],
    // What we would not take from a push we do not take from a remote.
    ...checks.map(([key, value]) => [key.replace('receive.', 'fetch.'), value] as const),
  ]
}

function readListing(text: string): Listing {
  const heads = new Map<string, string>()
  const tags = new Map<string, string>()
  const skipped: string[] = []
  let head: string | null = null
  let detached: string | null = null
  for (const line of text.split('\n')) {
    const [value = '', ref = ''] = line.split('\t')
    if (ref === 'HEAD' && value.startsWith('ref: ')) head = value.slice(5)
    else if (ref === 'HEAD') detached = value
    else if (isOid(value) && !ref.endsWith('^{}') && /^refs\/(heads|tags)\//.test(ref)) {
      if (!isRefName(ref)) skipped.push(ref)
      else (ref.startsWith('refs/heads/') ? heads : tags).set(ref, value)
    }
  }
  head ??= [...heads].find(([, oid]) => oid === detached)?.[0] ?? null
  return { heads, tags, head: head !== null && isRefName(head) && head.startsWith('refs/heads/') ? head : null, skipped }
}

function remoteFailed({ pass }: Remote, exit: GitExit): RemoteFailed {
  const detail = `git ended with ${exit.signal ?? exit.code}: ${exit.stderr.slice(0, 1000)}`
  return new RemoteFailed(pass.refused() ?? reasonOf(exit.stderr), detail)
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/Authentication failed|could not read (Username|Password)|returned error: 40[13]/i, 'it wants a name and password, or other ones'],
  [/not found|returned error: 404/i, 'there is no repository at this address'],
  [/SSL|certificate|TLS/i, 'its certificate or encryption is not good'],
  [/returned error: 502/, 'nothing answers there'],
  [/returned error: \d+/, 'it answers with an error'],
  [/fsck|index-pack failed|missing necessary objects|did not send all/i, 'what it sends is damaged, or not to be taken'],
]

function reasonOf(stderr: string): string {
  return reasons.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'what answers there is no git repository'
}

export type { Listing }
export { listRemote, fetchObjects }
