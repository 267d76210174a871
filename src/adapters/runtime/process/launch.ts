import { closeSync, lchownSync, readdirSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { StartError } from '../../../ports/runtime.ts'
import { openEnvironment, quoted, searchPath } from './environment.ts'
import type { Folder, Work } from './folder.ts'
import { readBoot } from './proc.ts'
import type { Sandbox } from './sandbox.ts'
import type { Supervisor } from './supervisors.ts'
import type { OwnFolders } from './view.ts'

// What Linux takes: 128 KiB for one part of a command, and for all of them a quarter of the stack. Ours stand in front of the work's.
const longestPart = 128 * 1024 - 1
const longestCommand = 1024 * 1024

type Launch = {
  readonly folder: Folder & OwnFolders
  readonly sandbox: Sandbox
  readonly work: Work
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly processes: number
  readonly network?: 'none'
  /** What it reads on descriptor 4. The work begins when its supervisor holds all of it, or never. Its standard error is kept by itself then, as `err`. */
  readonly message?: string
}

/** What work may never be without: the environment's own names, under what the work sets itself. */
function environmentOf(launch: Launch): Record<string, string> {
  const { home, tmp } = launch.sandbox.paths(launch.folder)
  const mark = launch.sandbox.mechanism === 'none' ? { CAPSTAN_WORK: launch.work.token } : {}
  return { PATH: searchPath, HOME: home, LANG: 'C.UTF-8', TMPDIR: tmp, ...launch.environment, ...mark }
}

/** The command with the places of `/code/` filled in, for a sandbox that cannot put the code there. */
function commandOf(launch: Launch): string[] {
  const { code } = launch.sandbox.paths(launch.folder)
  return launch.command.map((part) => (part === '/code' || part.startsWith('/code/') ? code + part.slice('/code'.length) : part))
}

/** Gives the work its folders. Links are given, never followed. */
async function giveFolders(folder: Folder, uid: number): Promise<void> {
  for (const path of [folder.task, folder.home, folder.tmp]) lchownSync(path, uid, uid)
  await giveTree(folder.code, uid)
}

async function giveTree(path: string, uid: number): Promise<void> {
  lchownSync(path, uid, uid)
  const entries = readdirSync(path, { withFileTypes: true })
  for (const [at, entry] of entries.entries()) {
    if (at % 200 === 199) await setImmediate() // a large tree must not hold up everybody else
    const below = join(path, entry.name)
    if (entry.isDirectory()) await giveTree(below, uid)
    else lchownSync(below, uid, uid)
  }
}

/**
 * Gives the work to its supervisor. Resolves once the sandbox stands and the command is about to begin; the record that finds it again was written before.
 * `onTold` is called when the supervisor has been told and there is nothing to do but wait. Throws `StartError` when it does not come so far.
 */
async function supervise(launch: Launch, supervisor: Supervisor, onTold: () => void): Promise<void> {
  const { folder, work, sandbox, processes, network, message } = launch
  const command = commandOf(launch)
  checkCommand(command)
  const argv = sandbox.launch(folder, { command, uid: work.uid, processes, ...(network ? { network } : {}) })
  const sweep = sandbox.mechanism === 'user' ? ['user', String(work.uid)] : sandbox.mechanism === 'none' ? ['group', work.token] : ['none', '']
  const blocks = String(Math.ceil(work.output_limit / 512))
  const environment = openEnvironment(folder, environmentOf(launch), work.uid)
  try {
    const size = message === undefined ? '' : String(Buffer.byteLength(message))
    const words = [`/proc/${process.pid}/fd/${environment}`, readBoot(), blocks, work.cgroup ?? '', ...sweep, size, ...argv]
    writeFileSync(join(folder.path, 'launch'), `set -- ${words.map(quoted).join(' ')}\n`, { mode: 0o600 })
    supervisor.give(folder.path, message)
    onTold()
    if (!(await supervisor.ready)) throw await launchFailure(folder)
  } finally {
    closeSync(environment)
  }
}

function checkCommand(command: readonly string[]): void {
  const sizes = command.map((part) => Buffer.byteLength(part))
  const tooLong = sizes.some((size) => size > longestPart) || sizes.reduce((sum, size) => sum + size + 1, 0) > longestCommand
  if (tooLong || command.some((part) => part.includes('\0')))
    throw new StartError('The command cannot be started: it is too long, or holds a zero byte.', { retry: false })
}

async function launchFailure(folder: Folder): Promise<StartError> {
  const said = await firstBytes(folder.out).catch(() => '')
  return new StartError('The process cannot be started just now. An operator finds the cause in the log.', {
    retry: true,
    cause: new Error(said || 'it ended before it was set up'),
  })
}

async function firstBytes(path: string): Promise<string> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(500), 0, 500, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

export type { Launch }
export { environmentOf, commandOf, giveFolders, supervise }
