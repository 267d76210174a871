import type { StepRow } from '../../../ports/store/rows.ts'

const since2020 = 1_577_836_800_000
const perMs = 8192

/**
 * The number of an execution of a step: an integer that rises with the time at which the execution was made, so that later ones have higher numbers
 * whatever their job. Executions of one job differ as long as fewer than 8,192 of them are made in one millisecond; those of two jobs in the same
 * millisecond differ but for one case in 8,192. It is derived, so that no step pays for a counter that all of them share.
 */
function executionNumber({ run_id, position, created_at }: Pick<StepRow, 'run_id' | 'position' | 'created_at'>): number {
  return Math.max(created_at - since2020, 0) * perMs + ((hashOf(run_id) + position) % perMs)
}

// FNV-1a over the id's characters.
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  return hash % perMs
}

export { executionNumber }
