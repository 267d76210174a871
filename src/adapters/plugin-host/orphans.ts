import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { killCgroup, removeCgroup } from '../runtime/process/cgroup.ts'
import { carrying, isAlive, signal, withBelow } from '../runtime/process/proc.ts'
import { hasEnded } from '../runtime/process/server-mark.ts'
import type { Log } from '../../core/kernel/log.ts'
import type { Identity } from '../runtime/process/folder.ts'

/** What finds a process of a plugin again after the server was killed: kept in its folder, where the plugin cannot write. */
type HostRecord = Identity & {
  /** Random; carried in the environment of the process and of all that it starts. */
  readonly token: string
  readonly cgroup: string | null
  /** The server that started it (`markOfServer`). */
  readonly server: string
}

const marker = 'CAPSTAN_PLUGIN_HOST'
const fileName = 'process.json'

function writeRecord(folder: string, record: HostRecord): void {
  writeFileSync(join(folder, fileName), JSON.stringify(record), { mode: 0o600 })
}

/**
 * Ends what is left of a process that an earlier server has started: only exactly that one and what carries its mark. False when it belongs to a server that
 * may be alive, which only servers that share a folder need to ask.
 */
async function endOrphan(folder: string, { log, shared }: { log: Log; shared: boolean }): Promise<boolean> {
  const record = readRecord(folder)
  if (!record) return !shared
  if (shared && !hasEnded(record.server)) return false
  if (record.cgroup !== null) killCgroup(record.cgroup)
  const mark = `${marker}=${record.token}`
  const left = () => [...new Set([...(isAlive(record) ? withBelow(record.pid).map(({ pid }) => pid) : []), ...carrying([mark])])]
  const found = left()
  if (found.length > 0) log.info('plugin.orphan', { pid: record.pid, processes: found.length })
  for (let pids = found; pids.length > 0; pids = left()) {
    for (const pid of pids) signal(pid, 'SIGKILL')
    // A timer of the clock keeps no process alive, and at the start there is nothing else that does.
    await setTimeout(20)
  }
  if (record.cgroup !== null) removeCgroup(record.cgroup)
  return true
}

function readRecord(folder: string): HostRecord | null {
  try {
    return JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as HostRecord // only this file writes it, where only the server may
  } catch {
    return null
  }
}

export type { HostRecord }
export { writeRecord, endOrphan, marker }
