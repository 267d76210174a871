import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { sleep } from '../../core/kernel/clock.ts'
import { endLeftovers } from '../runtime/process/end.ts'
import { folderOf, identityOf, makeFolder, readExit, readStarted, readWork } from '../runtime/process/folder.ts'
import { isAlive, readBoot } from '../runtime/process/proc.ts'
import { processTable } from '../runtime/process/server-mark.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { PluginCallKey, PluginStep } from '../../ports/plugin-host.ts'
import type { Folder } from '../runtime/process/folder.ts'
import type { Again } from './way-out.ts'

/**
 * Where calls are kept that outlive the server: `<work>/calls-<host>-<boot>/<step>/<call>`. The last is the folder of a supervised piece of work (`Folder`),
 * with three files of ours: `call.json` (`CallRecord`, written before its supervisor is told of it), `err` beside `out`, and `stopped` (why we end it, written
 * before we do). Messages are never in it.
 *
 * What another boot has left is never looked at: nothing of it runs, and nobody knows whether the disk has all that was written before a power cut.
 */
type CallRecord = {
  /** When its time is over. */
  readonly deadline: number
  readonly timeout_ms: number
  /** The connection that it was given, as that was then; '' for none. */
  readonly connection: string
  readonly way_out: Again
}

/** Why a call was ended from here: its time was over, it said too much, nobody wants its answer. */
type Stopped = 'late' | 'large' | 'called off'

/** `unbegun`: the plugin has certainly not heard of it. `gone`: it began, nothing of it is left, and nobody knows how it ended. */
type CallState = 'unbegun' | 'running' | 'ended' | 'gone'

/** The name of the folder of this boot's calls, and what those of this machine begin with. */
function ledgerName(): { readonly name: string; readonly machine: string } {
  const machine = `calls-${hash(hostname()).slice(0, 8)}-`
  return { name: machine + hash(`${readBoot()} ${processTable()}`).slice(0, 16), machine }
}

/** The folders of calls that nobody can ask for any more. `shared`: other machines have theirs beside ours. */
function oldLedgers(work: string, shared: boolean): string[] {
  const { name, machine } = ledgerName()
  return readdirSync(work)
    .filter((other) => other.startsWith(shared ? machine : 'calls-') && other !== name)
    .map((other) => join(work, other))
}

function stepFolder(work: string, { run, step }: PluginStep): string {
  return join(work, ledgerName().name, hash(JSON.stringify([run, step])))
}

function callFolder(work: string, key: PluginCallKey): string {
  return join(stepFolder(work, key), hash(key.call))
}

/** Makes the folder of a call, and those around it. From now on it is known that nothing else was called in its place. */
function makeCallFolder(work: string, key: PluginCallKey): Folder {
  const step = stepFolder(work, key)
  mkdirSync(dirname(step), { recursive: true, mode: 0o711 })
  mkdirSync(step, { recursive: true, mode: 0o711 })
  const about = join(step, stepFile)
  if (!existsSync(about)) writeFileSync(about, JSON.stringify({ run: key.run, step: key.step } satisfies PluginStep), { mode: 0o600 })
  const folder = folderAt(callFolder(work, key))
  makeFolder(folder)
  writeFileSync(errOf(folder), '', { mode: 0o600 })
  return folder
}

const stepFile = 'step.json'

/** The folders of the calls in the folder of a step. */
function callsIn(step: string): string[] {
  try {
    return readdirSync(step)
      .filter((name) => name !== stepFile)
      .map((name) => join(step, name))
  } catch {
    return []
  }
}

/** The steps that have calls of this boot. */
function stepsIn(work: string): PluginStep[] {
  const ledger = join(work, ledgerName().name)
  if (!existsSync(ledger)) return []
  return readdirSync(ledger).flatMap((name) => (read(join(ledger, name, stepFile)) as PluginStep | null) ?? [])
}

function folderAt(path: string): Folder {
  return folderOf(dirname(path), basename(path))
}

function errOf(folder: Folder): string {
  return join(folder.path, 'err')
}

function writeRecord(folder: Folder, record: CallRecord): void {
  writeFileSync(join(folder.path, 'call.json'), JSON.stringify(record), { mode: 0o600 })
}

/** Null while no supervisor was told of the call. */
function readRecord(folder: Folder): CallRecord | null {
  return read(join(folder.path, 'call.json')) as CallRecord | null
}

function writeStopped(folder: Folder, why: Stopped): void {
  writeFileSync(join(folder.path, 'stopped'), JSON.stringify(why), { mode: 0o600 })
}

function readStopped(folder: Folder): Stopped | null {
  return read(join(folder.path, 'stopped')) as Stopped | null
}

// Only this file writes them, where only the server may. One that was cut off in the middle is none.
function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch {
    return null
  }
}

/** What became of a call that an earlier server has made. After `unbegun` and `gone` nothing of it runs, or begins any more. */
async function stateOf(folder: Folder, clock: Clock): Promise<CallState> {
  const work = readWork(folder)
  if (readRecord(folder) === null || work === null) return 'unbegun'
  for (let patience = 0; identityOf(folder) === null && patience < 5; patience++) await sleep(clock, 10)
  if (identityOf(folder) === null) {
    // Its supervisor may be on its way still: it is ended first and asked for its record then.
    await endLeftovers(work, clock)
    if (readStarted(folder) === 'none') return 'unbegun'
  }
  const who = identityOf(folder)
  if (who === null) return 'gone'
  // Whether it lives is asked first: it may end between two questions, and then the second one must find its exit.
  const alive = isAlive(who)
  if (readExit(folder, work)) return 'ended'
  if (alive) return 'running'
  await endLeftovers(work, clock)
  return 'gone'
}

/** How much is in a file of a call. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

export type { CallRecord, CallState, Stopped }
export {
  oldLedgers,
  stepFolder,
  callFolder,
  makeCallFolder,
  callsIn,
  stepsIn,
  folderAt,
  errOf,
  writeRecord,
  readRecord,
  writeStopped,
  readStopped,
  stateOf,
  sizeOf,
}
