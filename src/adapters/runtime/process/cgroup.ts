import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Work } from '../../../ports/runtime.ts'
import { parseMounts } from './view.ts'

const controllers = ['cpu', 'memory', 'pids']

/**
 * The cgroup below which work gets one of its own with limits, or null with the reason. Nothing is moved out of the way for it: a server that shares its
 * cgroup with others (a log-in session) has no such cgroup; one with a delegated cgroup, or the root of a container, has.
 */
function findCgroup(mountinfo: string, own: string): { readonly path: string | null; readonly reason: string | null } {
  const mount = parseMounts(mountinfo).find((one) => existsSync(join(one.path, 'cgroup.controllers')))
  const path = /^0::(\/.*)$/m.exec(own)?.[1]
  if (!mount || path === undefined) return { path: null, reason: 'this host has no cgroup v2' }
  const base = join(mount.path, path)
  try {
    const offered = readFileSync(join(base, 'cgroup.controllers'), 'utf8').trim().split(' ')
    const missing = controllers.filter((name) => !offered.includes(name))
    if (missing.length > 0) return { path: null, reason: `cgroup v2 offers no ${missing.join(', ')} here` }
    enable(base)
    const work = join(base, 'capstan-work')
    mkdirSync(work, { recursive: true })
    enable(work)
    return { path: work, reason: null }
  } catch (error) {
    return { path: null, reason: `the cgroup of the server cannot be divided (${error instanceof Error ? error.message : String(error)})` }
  }
}

/** Makes the cgroup of one piece of work, with its limits set. */
function makeCgroup(base: string, name: string, limits: Work['limits'], processes: number): string {
  const path = join(base, name)
  mkdirSync(path, { recursive: true })
  const set = (file: string, value: string) => writeFileSync(join(path, file), value)
  set('pids.max', String(processes))
  if (limits.cpu !== null) set('cpu.max', `${Math.max(1000, Math.round(limits.cpu * 100_000))} 100000`)
  if (limits.memoryBytes !== null) {
    set('memory.max', String(limits.memoryBytes))
    set('memory.oom.group', '1')
    // Memory that is swapped out is memory all the same; a host without swap has no such file.
    if (existsSync(join(path, 'memory.swap.max'))) set('memory.swap.max', '0')
  }
  return path
}

/** Ends what is left in a cgroup at once, where the kernel can. */
function killCgroup(path: string): void {
  try {
    writeFileSync(join(path, 'cgroup.kill'), '1')
  } catch {}
}

function removeCgroup(path: string): void {
  try {
    rmdirSync(path)
  } catch {}
}

function enable(path: string): void {
  const file = join(path, 'cgroup.subtree_control')
  const on = readFileSync(file, 'utf8').trim().split(' ')
  const wanted = controllers.filter((name) => !on.includes(name))
  if (wanted.length > 0) writeFileSync(file, wanted.map((name) => `+${name}`).join(' '))
}

export { findCgroup, makeCgroup, killCgroup, removeCgroup }
