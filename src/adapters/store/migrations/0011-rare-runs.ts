import { pair } from './migration.ts'

// Runs that ended otherwise than well are few among many, and are what people look for. Every query that means this index repeats its condition.
export const rareRuns = pair(11, 'rare-runs', () => {
  const unwell = `where state in ('failed', 'cancelled', 'timed_out', 'lost', 'skipped')`
  return [`create index run_unwell on run (created_at, id) ${unwell}`, `create index run_unwell_of on run (resource_id, created_at, id) ${unwell}`]
})
