/**
 * The one set of states of runs and steps (design §5).
 *
 * - `queued`: accepted and durable; leaves when a place is free, or when it is cancelled. `reason` says what it waits for.
 * - `starting`: the intent to start is durable and the places it needs are held; the runtime may or may not have been asked yet.
 * - `running`: the runtime has confirmed it; its handle is durable.
 * - `waiting`: nothing runs; an answer, an event, a timer or the next attempt is awaited. A waiting step holds no place.
 * - `succeeded | failed | cancelled | timed_out | lost | skipped`: the end. Nothing of the work is left, and the state never changes again.
 *
 * `lost` ends an attempt whose work vanished; whether the step tries again is for its retries to say.
 */
export const runStates = ['queued', 'starting', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost', 'skipped'] as const
export type RunState = (typeof runStates)[number]
export type StepState = RunState

/** What may follow what. A change that is not in this table is refused by the store. */
const transitions = {
  queued: ['starting', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost', 'skipped'],
  starting: ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost'],
  running: ['queued', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost'],
  waiting: ['queued', 'starting', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost', 'skipped'],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
  lost: [],
  skipped: [],
} as const satisfies Record<RunState, readonly RunState[]>

export type EndState = 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'lost' | 'skipped'

export function isEnd(state: RunState): state is EndState {
  return transitions[state].length === 0
}

export function mayFollow(from: RunState, to: RunState): boolean {
  return (transitions[from] as readonly RunState[]).includes(to)
}
