import { spawn } from 'node:child_process'
import type { Clock } from '../../../core/kernel/clock.ts'
import { sleep } from '../../../core/kernel/clock.ts'
import { killCgroup } from './cgroup.ts'
import type { Identity, Work } from './folder.ts'
import { carrying, signal, workOf } from './proc.ts'

type Name = 'SIGTERM' | 'SIGKILL'

/** Sends a signal to every process of the work, and to none of its supervisor's. */
async function signalWork(supervisor: Identity, work: Work, name: Name): Promise<void> {
  if (name === 'SIGKILL' && work.cgroup !== null) killCgroup(work.cgroup)
  if (work.mechanism === 'user' && work.uid !== null) return signalUser(work.uid, name)
  const processes = workOf(supervisor)
  const first = processes.find(({ place }) => place === 'first')
  const inside = processes.filter(({ place }) => place === 'inside')
  // When the command has ended the first process tells its exit and ends, and with it the kernel ends the whole process table. To end the first one itself
  // would be as final, but some launchers cannot say then how it came.
  if (first) {
    for (const { pid } of name === 'SIGKILL' && inside.length === 0 ? [first] : inside) signal(pid, name)
    return
  }
  const escaped = work.mechanism === 'none' && name === 'SIGKILL' ? carrying([`CAPSTAN_WORK=${work.token}`]) : []
  for (const pid of new Set([...processes.map((one) => one.pid), ...escaped])) signal(pid, name)
}

/** Ends what a supervisor that was itself killed left behind; resolves when nothing is left. Only what carries the work's own mark is touched. */
async function endLeftovers(work: Work, clock: Clock): Promise<void> {
  const marks = [`CAPSTAN_SUPERVISOR=${work.token}`, `CAPSTAN_WORK=${work.token}`]
  if (work.cgroup !== null) killCgroup(work.cgroup)
  if (work.mechanism === 'user' && work.uid !== null) await signalUser(work.uid, 'SIGKILL')
  for (let left = carrying(marks); left.length > 0; left = carrying(marks)) {
    for (const pid of left) signal(pid, 'SIGKILL')
    await sleep(clock, 20)
  }
}

// The user id belongs to this work alone, and a signal to "all" from it reaches all of them at one moment: nothing can be forked past it.
function signalUser(uid: number, name: Name): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const child = spawn('/bin/sh', ['-c', `kill -${name === 'SIGTERM' ? 'TERM' : 'KILL'} -1`], { uid, gid: uid, cwd: '/', env: {}, stdio: 'ignore' })
  child.once('error', () => resolve())
  child.once('close', () => resolve())
  return promise
}

export { signalWork, endLeftovers }
