import { readdirSync, readFileSync } from 'node:fs'
import type { Identity } from './folder.ts'

/** The number of this boot: pids of another one mean nothing. */
export function readBoot(): string {
  return text('/proc/sys/kernel/random/boot_id').trim()
}

/** Whether exactly this process still lives, not another one that got its pid. */
export function isAlive(who: Identity): boolean {
  const stat = parse(text(`/proc/${who.pid}/stat`))
  return stat !== null && stat.startTime === who.startTime && stat.state !== 'Z' && stat.state !== 'X' && who.bootId === readBoot()
}

type Placed = { readonly pid: number; readonly place: 'launcher' | 'first' | 'inside' }

/** All below a supervisor's own helpers: the launcher and what it started, with a word on where each stands in the sandbox. */
export function workOf(supervisor: Identity): Placed[] {
  if (!isAlive(supervisor)) return []
  return children(supervisor.pid)
    .flatMap(children)
    .flatMap((launcher) => withBelow(launcher))
}

/** A process and all below it, with a word on where each stands in its sandbox. */
function withBelow(first: number): Placed[] {
  const found = [first]
  for (let at = 0; at < found.length; at++) found.push(...children(found[at] as number))
  return found.map((pid) => ({ pid, place: place(pid) }))
}

/** What the kernel says of a living process, so that it can be told from a later one with its pid; null when it is gone. */
function identify(pid: number): Identity | null {
  const stat = parse(text(`/proc/${pid}/stat`))
  return stat && { pid, startTime: stat.startTime, bootId: readBoot() }
}

/** Sends a signal; that nobody is there any more is no error. */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch {}
}

/** Pids of every process whose environment was started with one of these entries. */
export function carrying(entries: readonly string[]): number[] {
  return pids().filter((pid) => {
    const environment = `\0${text(`/proc/${pid}/environ`)}\0`
    return entries.some((entry) => environment.includes(`\0${entry}\0`))
  })
}

function place(pid: number): 'launcher' | 'first' | 'inside' {
  const inner = /^NSpid:\t\d+\t(\d+)/m.exec(text(`/proc/${pid}/status`))?.[1]
  if (inner === undefined) return 'launcher'
  return inner === '1' ? 'first' : 'inside'
}

// Each thread has its own list of children.
function children(pid: number): number[] {
  return entries(`/proc/${pid}/task`).flatMap((thread) => text(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number))
}

function pids(): number[] {
  return entries('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

// The name of a program stands in parentheses and may hold anything, parentheses too: what counts comes after the last one.
function parse(stat: string): { state: string; startTime: string } | null {
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  return stat === '' ? null : { state: fields[0] ?? '', startTime: fields[19] ?? '' }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

export type { Placed }
export { withBelow, identify }
