import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { HgTimeout, HgUnavailable } from '../../ports/hg.ts'
import { RemoteFailed } from '../../ports/mirror.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { PullOptions, PullSource, Pulled, Remote } from '../../ports/mirror.ts'
import type { HgHost } from './environment.ts'
import type { Gate } from '../code/gate.ts'
import { startHg } from './process.ts'
import type { Pushes } from './pushes.ts'
import { makeUnfinished, place, repositoryPath } from './storage.ts'

type Pulling = { readonly host: HgHost; readonly gate: Gate; readonly pushes: Pushes; readonly mend: (directory: string) => Promise<void> }

const probeMs = 60_000
const transferMs = 55 * 60 * 1000
const scratchEnd = ['capstan.end=scratch']
const noQuestions = async () => {}

/** Asks whether a remote is a Mercurial repository that can be read. */
async function probeRemote({ host, gate }: Pulling, remote: Remote, signal: AbortSignal): Promise<void> {
  const leave = await gate.enter(signal)
  try {
    await throughRemote(host, remote, (extra) =>
      run(host, ['identify', '--id', 'capstan'], { config: scratchEnd, extra, signal, timeoutMs: probeMs }),
    )
  } finally {
    leave()
  }
}

/** Makes a repository out of a remote. It gets its name when it is complete. */
async function copyRemote(parts: Pulling, id: string, remote: Remote, signal: AbortSignal): Promise<void> {
  const { host, gate } = parts
  repositoryPath(host, id)
  const leave = await gate.enter(signal)
  const unfinished = await makeUnfinished(host)
  try {
    await run(host, ['init', unfinished], { config: scratchEnd, signal, timeoutMs: probeMs })
    await bring(parts, unfinished, { remote }, { signal, onCommands: noQuestions })
    signal.throwIfAborted()
    if ((await place(host, unfinished, id)) === 'taken') throw new HgUnavailable(`there is storage of ${id} already`)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  } finally {
    leave()
  }
}

/** Mercurial's own pull. Our hook hears what it would change, and everything is rolled back when that is refused. */
async function pullInto(parts: Pulling, directory: string, source: PullSource, options: PullOptions): Promise<Pulled> {
  const leave = await parts.gate.enter(options.signal)
  try {
    await parts.mend(directory)
    return { changes: await bring(parts, directory, source, options), skipped: [] }
  } finally {
    leave()
  }
}

async function bring(
  { host, pushes }: Pulling,
  directory: string,
  source: PullSource,
  { signal, onCommands }: PullOptions,
): Promise<readonly RefUpdate[]> {
  const token = pushes.open(onCommands)
  const config = ['capstan.end=write', `capstan.socket=${pushes.socket}`, `capstan.push=${token.token}`]
  const pull = (from: string, extra?: Readonly<Record<string, string>>) =>
    run(host, ['-R', directory, 'pull', '--quiet', from], { config, signal, timeoutMs: transferMs, ...(extra ? { extra } : {}) })
  try {
    if ('storage' in source) await pull(repositoryPath(host, source.storage))
    else await throughRemote(host, source.remote, (extra) => pull('capstan', extra))
    return token.allowed() ?? []
  } catch (error) {
    throw token.refusal() ?? error
  } finally {
    token.close()
  }
}

// Address, password and the secret of the pass go in by a file that only we can read, and that is gone when hg is: never by arguments.
async function throughRemote(host: HgHost, remote: Remote, work: (extra: Readonly<Record<string, string>>) => Promise<void>): Promise<void> {
  if (!/^https?:\/\/[^\s-]\S*$/.test(remote.url)) throw new RemoteFailed('it is neither http nor https')
  const file = `${host.scratch}/remote-${randomBytes(12).toString('hex')}`
  await writeFile(file, fileOf(remote), { mode: 0o600, flag: 'wx' })
  try {
    await work({ HGRCPATH: file })
  } catch (error) {
    throw error instanceof Failed ? new RemoteFailed(remote.pass.refused() ?? reasonOf(error.message), error.message) : error
  } finally {
    await rm(file, { force: true })
  }
}

function fileOf({ url, credentials, pass }: Remote): string {
  const lines = [
    '[paths]',
    `capstan = ${url}`,
    '[http_proxy]',
    `host = ${pass.host}:${pass.port}`,
    `user = ${pass.user}`,
    `passwd = ${pass.password}`,
    // Else names that it takes for this machine go past the proxy.
    'always = yes',
    '[http]',
    'timeout = 60',
    '[ui]',
    // A bundle that a server names is somewhere else.
    'clonebundles = no',
  ]
  if (credentials) {
    if (/[\r\n]|^\s|\s$/.test(credentials.user + credentials.password)) throw new RemoteFailed('its name or password has blanks at an end')
    lines.push('[auth]', `capstan.prefix = ${url.replace(/^https?:\/\//, '')}`, `capstan.username = ${credentials.user}`)
    lines.push(`capstan.password = ${credentials.password}`, 'capstan.schemes = http https')
  }
  return `${lines.join('\n')}\n`
}

/** What hg said when it failed. */
class Failed extends HgUnavailable {}

type RunOptions = {
  readonly config: readonly string[]
  readonly extra?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

async function run(host: HgHost, args: readonly string[], { config, extra, signal, timeoutMs }: RunOptions): Promise<void> {
  signal.throwIfAborted()
  const hg = startHg(host, args, { config, ...(extra ? { extra } : {}) })
  let late = false
  const timer = host.clock.after(timeoutMs, () => {
    late = true
    void hg.end()
  })
  const abort = () => void hg.end()
  signal.addEventListener('abort', abort, { once: true })
  try {
    hg.stdin.end()
    hg.stdout.resume()
    const code = await hg.exited
    signal.throwIfAborted()
    if (late) throw new HgTimeout(`hg ${args.find((arg) => !arg.startsWith('-'))} took longer than ${timeoutMs} ms`)
    if (code !== 0) throw new Failed(`hg ended with ${code}: ${hg.said()}`)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', abort)
    await hg.end()
  }
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/authorization (required|failed)|HTTP Error 40[13]/i, 'it wants a name and password, or other ones'],
  [/HTTP Error 404/i, 'there is no repository at this address'],
  [/certificate|SSL|TLS/i, 'its certificate or encryption is not good'],
  [/HTTP Error 502/i, 'nothing answers there'],
  [/HTTP Error \d+/i, 'it answers with an error'],
]

function reasonOf(said: string): string {
  return reasons.find(([pattern]) => pattern.test(said))?.[1] ?? 'what answers there is no Mercurial repository'
}

export type { Pulling }
export { probeRemote, copyRemote, pullInto }
