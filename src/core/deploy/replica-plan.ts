import { replicaOf } from './replica.ts'
import { waitsForName } from './task-view.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { ReadyReplica, WorkloadSpec, WorkloadStatus } from './workload.ts'

/** The latest life of an instance, and what is known of it besides its rows. */
type Life = {
  readonly run: RunRow
  readonly step: StepRow | null
  /** It does its work: of a service, it answers; else it has been up for a moment. */
  readonly ready: boolean
  /** It is being stopped. */
  readonly leaving: boolean
}

type ReplicaPlan = {
  /** Instances of the current generation that have had no life yet. */
  readonly first: readonly number[]
  /** Ended lives that are followed by the next one now. */
  readonly again: readonly { readonly run: RunRow; readonly failures: number }[]
  /** Lives that are ended for good. */
  readonly stop: readonly RunRow[]
  /** Lives that did not become ready in their time: ended, and followed by another after the pause. */
  readonly overdue: readonly RunRow[]
  /** When there is something to do though nothing happens. */
  readonly wakeAt: number | null
  readonly status: WorkloadStatus
}

/** The pauses between the lives of an instance (Deploy API §13), how long a life counts as healthy, and how long an instance may take to answer. */
const firstPauseMs = 10_000
const longestPauseMs = 300_000
const healthyMs = 600_000
const startLimitMs = 300_000
/** Something that is not ready and whose readiness is a matter of time is looked at again after this. */
const lookAgainMs = 300

/**
 * What to do for a workload now, from its record and the latest lives of its instances: a pure function, so that after a crash the same follows from the
 * same rows.
 *
 * Instances of the current generation are started at once; one of an older generation is stopped for each of them that is ready, so that never fewer
 * serve than are wanted. Of the older ones only those count that are ready, or belong to the latest generation that once was whole: that one is even
 * kept alive, for as long as the current one cannot take over.
 */
function planReplicas(spec: WorkloadSpec, lives: readonly Life[], now: number, options: { blocked: boolean }): ReplicaPlan {
  const wake = new Earliest()
  const current = new Map<number, Life>()
  for (const life of lives) if (generationOf(life) === spec.generation) current.set(replicaOf(life.run).slot, life)
  const slots = Array.from({ length: spec.replicas }, (_, slot) => current.get(slot))
  const older = lives.filter((life) => generationOf(life) < spec.generation)

  const first = options.blocked ? [] : slots.flatMap((life, slot) => (life ? [] : [slot]))
  const again = slots.flatMap((life) => (life ? nextLifeOf(life, now, wake) : []))
  const overdue = slots.flatMap((life) => (life && spec.type === 'service' && isOverdue(life, now, wake) ? [life.run] : []))
  for (const life of slots) if (life && isComing(life) && isBegun(life, spec)) wake.at(now + lookAgainMs)

  const surplus = [...current].filter(([slot]) => slot >= spec.replicas).map(([, life]) => life)
  const whole = slots.filter((life) => life && serves(life)).length
  const before = planOlder(older, { room: spec.replicas - whole, stable: spec.status.stable, now, wake })
  const stop = [...surplus, ...before.stop].filter((life) => !life.leaving).map(({ run }) => run)
  const status = statusOf(spec, slots, lives, stop, now)
  const held = options.blocked && status.state === 'queued' ? { ...status, ...waitsForName } : status
  return { first, again: [...again, ...before.again], stop, overdue, wakeAt: wake.value, status: held }
}

type Older = { readonly room: number; readonly stable: number | null; readonly now: number; readonly wake: Earliest }

function planOlder(older: readonly Life[], { room, stable, now, wake }: Older) {
  const useful = older.filter((life) => !life.leaving && (serves(life) || generationOf(life) === stable))
  // What serves goes last.
  const sorted = [...useful].sort((a, b) => Number(serves(b)) - Number(serves(a)) || Number(b.run.active) - Number(a.run.active))
  const kept = new Set(sorted.slice(0, Math.max(0, room)))
  return { stop: older.filter((life) => !kept.has(life)), again: [...kept].flatMap((life) => nextLifeOf(life, now, wake)) }
}

function nextLifeOf({ run }: Life, now: number, wake: Earliest): { run: RunRow; failures: number }[] {
  if (run.active) return []
  const failures = failuresOf(run)
  const due = dueAt(run, failures)
  if (due <= now) return [{ run, failures }]
  wake.at(due)
  return []
}

function failuresOf(run: RunRow): number {
  const lived = (run.finished_at ?? 0) - (run.started_at ?? run.finished_at ?? 0)
  return lived >= healthyMs ? 1 : replicaOf(run).failures + 1
}

function dueAt(run: RunRow, failures: number): number {
  return (run.finished_at ?? 0) + Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 30), longestPauseMs)
}

function isOverdue(life: Life, now: number, wake: Earliest): boolean {
  if (!isComing(life)) return false
  // While it waits for a place, or its code is put out, its time has not begun.
  const began = life.step?.state === 'running' ? life.step.started_at : null
  if (began === null) return false
  if (began + startLimitMs > now) wake.at(began + startLimitMs)
  return began + startLimitMs <= now
}

function isComing({ run, ready, leaving }: Life): boolean {
  return run.active && run.cancel === null && !ready && !leaving
}

// Nobody tells when a program is up, nor when it has been up for long enough. That a service answers, its probe tells.
function isBegun({ run, step }: Life, spec: WorkloadSpec): boolean {
  return run.state === 'running' && (spec.type === 'deployment' || step?.state !== 'running')
}

function serves({ run, ready, leaving }: Life): boolean {
  return run.active && run.cancel === null && ready && !leaving
}

function generationOf({ run }: Life): number {
  return replicaOf(run).generation
}

function statusOf(
  spec: WorkloadSpec,
  slots: readonly (Life | undefined)[],
  lives: readonly Life[],
  stop: readonly RunRow[],
  now: number,
): WorkloadStatus {
  const { status } = spec
  const whole = slots.every((life) => life !== undefined && serves(life))
  const stopped = new Set(stop.map((run) => run.id))
  const ready: ReadyReplica[] = lives
    .filter((life) => serves(life) && !stopped.has(life.run.id))
    .map(({ run }) => ({ run: run.id, generation: replicaOf(run).generation, port: replicaOf(run).port }))
  const common = { ready, stable: whole ? spec.generation : status.stable, started_at: status.started_at ?? (whole ? now : null), exit_code: null }
  if (whole) return { ...common, state: 'running', reason: null, message: null }
  const ended = slots.find((life) => life && !life.run.active)
  if (ended) return { ...common, state: 'degraded', ...whyEnded(ended) }
  const stumbling = slots.find((life) => life && replicaOf(life.run).failures > 0 && !serves(life))
  if (stumbling) return { ...common, state: 'degraded', reason: 'crash_loop', message: 'It ended before and is started again' }
  const waiting = slots.find((life) => life?.step?.state === 'queued')
  const reason = waiting ? (waiting.step?.reason ?? 'waiting_for_quota') : null
  if (status.stable === spec.generation) return { ...common, state: 'degraded', reason, message: null }
  const begun = slots.some((life) => life && life.step?.state !== 'queued')
  return { ...common, state: begun ? 'starting' : 'queued', reason, message: null }
}

function whyEnded({ run, step }: Life): Pick<WorkloadStatus, 'reason' | 'message' | 'exit_code'> {
  const failures = failuresOf(run)
  const own = run.reason === 'cancelled' ? null : run.reason
  const reason = failures > 1 ? 'crash_loop' : (own ?? 'retry_wait')
  const code = step?.exit_code ?? null
  const how = run.message ?? (code === null ? `it is ${run.state}` : `exit code ${code}`)
  return { reason, message: `${run.name} ended: ${how}. It is started again after a pause`, exit_code: code }
}

class Earliest {
  value: number | null = null
  at(moment: number): void {
    if (this.value === null || moment < this.value) this.value = moment
  }
}

export type { Life, ReplicaPlan }
export { planReplicas }
