import { isFault } from '../kernel/fault.ts'
import { StartError } from '../../ports/runtime.ts'
import { carryOutput, droppedNote } from './output.ts'
import type { Exit, Handle, Runtime } from '../../ports/runtime.ts'
import type { StepRow } from '../../ports/store/rows.ts'
import type { Services } from '../operation/services.ts'
import type { PreparedWork } from './source.ts'
import type { StepState } from '../kernel/run-state.ts'

/** How an attempt ended, in the engine's words. */
type AttemptEnd = {
  readonly state: Extract<StepState, 'succeeded' | 'failed' | 'lost'>
  readonly reason: string | null
  readonly message: string | null
  readonly exitCode: number | null
  readonly finishedAt: number
  /** Trying again would give the same. */
  readonly final: boolean
}

/** The name of an attempt's work: the same after every restart, so that it can be found and never be started twice. */
function workName(runId: string, position: number, attempt: number): string {
  return `${runId}-${position}-${attempt}`
}

type AttemptOptions = {
  readonly services: Services
  readonly runtime: Runtime
  readonly step: StepRow
  readonly prepare: () => Promise<PreparedWork>
  /** Told once the work exists and before it is waited for. */
  readonly onStarted: (handle: Handle, warning: string | null) => void
  /** Aborted when this server lets go of the attempt (it stops, or lost the run): the work goes on. */
  readonly signal: AbortSignal
}

/** Starts the attempt and follows it to its end. Rejects only when `signal` is aborted. */
async function performAttempt(options: AttemptOptions): Promise<AttemptEnd> {
  const { runtime, step, services } = options
  let prepared: PreparedWork
  try {
    prepared = await options.prepare()
    const name = workName(step.run_id, step.position, step.attempt)
    const work = { ...prepared.work, name, labels: prepared.labels, outputLimit: services.settings.outputLimitBytes }
    const started = await runtime.start(work)
    if (!started.exit) options.onStarted(started.handle, started.warning)
    const end = await follow(options, started.handle, prepared.secrets, started.exit)
    // What could not be done as asked stays to be seen: short work has ended before anybody looks.
    return { ...end, message: end.message ?? started.warning }
  } catch (error) {
    if (options.signal.aborted) throw error
    return notStarted(services, error)
  }
}

/**
 * Finds an attempt again after a restart and follows it to its end. An intent whose work was never started is started now; work that is gone without a
 * trace of its end is `lost`.
 */
async function recoverAttempt(options: AttemptOptions): Promise<AttemptEnd> {
  const { runtime, step, services } = options
  const recovered = await runtime.recover(workName(step.run_id, step.position, step.attempt))
  if (recovered.found === 'never_started') {
    if (step.state === 'starting') return performAttempt(options)
    return lost(services)
  }
  if (recovered.found === 'gone') return lost(services)
  if (recovered.found === 'running') options.onStarted(recovered.handle, null)
  // The values to mask are opened anew; without them the rest of the output is not shown rather than shown bare.
  const secrets = await options.prepare().then(
    (prepared) => prepared.secrets,
    () => null,
  )
  return follow(options, recovered.handle, secrets, recovered.found === 'ended' ? recovered.exit : null)
}

async function follow(options: AttemptOptions, handle: Handle, secrets: readonly string[] | null, ended: Exit | null): Promise<AttemptEnd> {
  const { runtime, step, services, signal } = options
  const name = { run: step.run_id, step: step.key, attempt: step.attempt }
  const carried = secrets
    ? carryOutput({ runtime, handle, log: services.runLog, name, secrets, signal }).catch((error) => {
        if (!signal.aborted) services.log.warn('run.log_incomplete', { run: step.run_id, step: step.key, error })
      })
    : Promise.resolve()
  const exit = ended ?? (await runtime.wait(handle, { signal }))
  await carried
  const note = droppedNote(exit)
  if (note) await services.runLog.append(name, note).catch(() => {})
  return endOf(exit)
}

const vanished = 'The work vanished without a trace of its end'

function endOf(exit: Exit): AttemptEnd {
  const common = { message: null, finishedAt: exit.finishedAt, final: false }
  if (exit.outOfMemory) return { ...common, state: 'failed', reason: 'oom_killed', exitCode: exit.code }
  if (exit.code === null && exit.signal === null) return { ...common, state: 'lost', reason: 'lost', message: vanished, exitCode: null }
  if (exit.signal) return { ...common, state: 'failed', reason: 'signal', message: `ended by ${exit.signal}`, exitCode: exit.code }
  if (exit.code !== 0) return { ...common, state: 'failed', reason: 'exit_nonzero', exitCode: exit.code }
  return { ...common, state: 'succeeded', reason: null, exitCode: 0 }
}

function lost(services: Services): AttemptEnd {
  return { state: 'lost', reason: 'lost', message: vanished, exitCode: null, finishedAt: services.clock.now(), final: false }
}

function notStarted(services: Services, error: unknown): AttemptEnd {
  const known = error instanceof StartError || isFault(error)
  if (!known) services.log.error('run.start_failed', { error })
  const message = known ? error.message : 'The work could not be started. An operator finds the cause in the log'
  const final = isFault(error) || (error instanceof StartError && !error.retry)
  return { state: 'failed', reason: 'start_failed', message, exitCode: null, finishedAt: services.clock.now(), final }
}

export type { AttemptEnd, AttemptOptions }
export { workName, performAttempt, recoverAttempt }
