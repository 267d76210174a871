import type { RunRow } from '../../ports/store/rows.ts'
import type { AdvanceAct, StepChange } from '../../ports/store/runs.ts'
import type { LiveStep } from './live-steps.ts'

type Going = { readonly live: readonly LiveStep[]; readonly changes: readonly StepChange[]; readonly now: number }

/** What becomes of the state of a run that goes on, by its steps that have not ended and what changes about them; null: nothing. */
function progressOf(run: RunRow, { live, changes, now }: Going): AdvanceAct['run'] {
  const waits = onlyWaits(live)
  if (run.state === 'running' || run.state === 'waiting') {
    return waits === (run.state === 'waiting') ? null : { state: waits ? 'waiting' : 'running' }
  }
  if (run.state !== 'queued') return null
  const begun = [...changes.map(({ patch }) => patch), ...live.map(({ row }) => row)].some(
    ({ state }) => state === 'starting' || state === 'running' || state === 'succeeded',
  )
  if (waits) return { state: 'waiting', started_at: now }
  return begun ? { state: 'running', started_at: now } : null
}

/** Whether nothing is done until somebody answers or a time comes, here and in the runs that are waited for. */
function onlyWaits(live: readonly LiveStep[]): boolean {
  const leaves = live.filter(({ node }) => node.kind !== 'loop' && node.kind !== 'scope')
  return leaves.length > 0 && leaves.every((leaf) => (leaf.node.kind === 'run' ? leaf.childWaits : isWaiting(leaf)))
}

function isWaiting({ node, row }: LiveStep): boolean {
  return (node.kind === 'question' || node.kind === 'timer') && row.state === 'waiting'
}

export { progressOf, onlyWaits }
