import { newStep } from './rows.ts'
import { cancelReason, sizeOf } from './outcome.ts'
import type { Effect } from '../flow/machine.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { StepChange, StepStart } from '../../ports/store/runs.ts'
import type { RunHost } from './host.ts'
import type { LiveSteps } from './live-steps.ts'
import type { Finish, StepResult } from './outcome.ts'
import type { EndState } from '../kernel/run-state.ts'

/** What effects of the flow mean for the store, and what is to be done after the commit. */
export type Translation = {
  readonly create: StepRow[]
  readonly changes: StepChange[]
  /** The rows that `changes` make, whole. */
  readonly changed: StepRow[]
  readonly starts: StepStart[]
  /** Steps whose work is to be ended. */
  readonly stops: string[]
  readonly finish: Finish | null
  /** The flow has more to say once this is recorded. */
  readonly more: boolean
  /** The last step that ended otherwise than well. */
  readonly last: StepResult | null
  /** Size of the outputs that were added. */
  readonly size: number
}

/** From effects to rows. Nothing is started here: steps that are ready are only taken up in `live`. */
export function translate(host: RunHost, run: RunRow, live: LiveSteps, effects: readonly Effect[], nextPosition: () => number): Translation {
  const now = host.services.clock.now()
  const create = new Map<string, StepRow>()
  const changes: StepChange[] = []
  const changed: StepRow[] = []
  const starts: StepStart[] = []
  const stops: string[] = []
  let finish: Finish | null = null
  let more = false
  let last: StepResult | null = null
  let size = 0
  for (const effect of effects) {
    if (effect.do === 'finish') finish = effect
    else if (effect.do === 'more') more = true
    else if (effect.do === 'stop') stops.push(effect.key)
    else if (effect.do === 'create') {
      const row = newStep(run, effect, nextPosition(), now)
      create.set(row.key, row)
      if (effect.node.kind !== 'work') live.add(row, effect.node, null)
      else {
        const { runtime, places } = host.source(run.kind).place(host.services, run, effect.node)
        row.runtime = runtime
        live.add(row, effect.node, host.services.runtimes.get(runtime) ?? null)
        // Who waits already in this namespace comes first.
        if (host.waiting.has(run.namespace)) row.reason = 'waiting_for_quota'
        else starts.push({ key: row.key, places })
      }
    } else {
      const state: EndState = effect.do === 'skip' ? 'skipped' : effect.state
      const reason = state === 'cancelled' ? cancelReason(run) : effect.reason
      const { message, output } = effect.do === 'end' ? effect : { message: null, output: null }
      const patch = { state, reason, message, output, finished_at: now }
      const made = create.get(effect.key)
      const known = live.get(effect.key)
      if (made) Object.assign(made, patch)
      else if (known) {
        changes.push({ key: effect.key, attempt: known.row.attempt, patch })
        changed.push({ ...known.row, ...patch })
      } else create.set(effect.key, { ...newStep(run, effect, nextPosition(), now), reason })
      if (known) live.remove(known)
      if (state !== 'succeeded') last = { state, reason, message }
      size += sizeOf(output)
    }
  }
  const stillQueued = starts.filter((start) => create.get(start.key)?.state === 'queued')
  return { create: [...create.values()], changes, changed, starts: stillQueued, stops, finish, more, last, size }
}
