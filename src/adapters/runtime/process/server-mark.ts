import { readlinkSync, readFileSync } from 'node:fs'
import { isAlive, readBoot } from './proc.ts'

/**
 * Names this very process for the servers that come after it: boot, process table, pid and start time. Another server of the same table can tell by
 * `hasEnded` that it is gone, and need not wait for its lease.
 */
function markOfServer(): string {
  return [readBoot(), processTable(), process.pid, startTime()].join(' ')
}

/**
 * Whether the process of a mark is certainly gone. False when it lives, and when that cannot be told from here: names of hosts are not unique, so only
 * the kernel's own numbers count.
 */
function hasEnded(mark: string): boolean {
  const [bootId = '', table = '', pid = '', start = ''] = mark.split(' ')
  if (start === '' || bootId !== readBoot() || table !== processTable()) return false
  return !isAlive({ pid: Number(pid), startTime: start, bootId })
}

/** Names the table of processes that pids mean something in: those of another container mean other processes. */
function processTable(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function startTime(): string {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    return stat.slice(stat.lastIndexOf(') ') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

export { markOfServer, hasEnded, processTable }
