import { sleep } from '../kernel/clock.ts'
import { isFault } from '../kernel/fault.ts'
import { jobRules } from '../workflow/retention.ts'
import { roundKind } from './round-kind.ts'
import type { Timer } from '../kernel/clock.ts'
import type { Services } from '../operation/services.ts'
import type { PruneScope, RunPlace } from '../../ports/store/runs.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const chunk = 200
const rowChunk = 2000

// Reading past so many runs takes a few milliseconds.
const stride = 5000

/** Which ended runs are kept: those of a kind that ended within so many days and are among the newest so many; null: however many they are. */
type Rule = PruneScope & { readonly kind: string; readonly days: number; readonly keep: number | null; readonly alone?: boolean }

/** How long ended runs of a kind are kept: one rule (design §6), and what a workflow says of its own jobs. */
async function rulesOf(services: Services): Promise<Rule[]> {
  const { retention } = services.settings
  const deploy = ['task', 'replica', 'pipeline', 'procedure', 'action', 'build', 'stack', 'release'].map((kind) => ({
    kind,
    days: retention.deployDays,
    keep: retention.keep,
  }))
  const own = await jobRules(services)
  const others = { kind: 'workflow', days: retention.workflowDays, keep: retention.keep, except: own.map(({ of }) => of) }
  // What a job has gathered in rounds and other workflows is read from their runs: they stay while it does, and it may wait for long.
  const jobs: Rule[] = [...own.map((rule) => ({ kind: 'workflow', ...rule, alone: true })), { ...others, alone: true }]
  // Rounds of jobs that are runs of their own are as old as their jobs, and any number of them.
  const rounds = jobs.map((rule) => ({ ...rule, kind: roundKind, keep: null }))
  return [...deploy, ...jobs, ...rounds]
}

/** Removes runs that are past their time, with their logs, in small pieces that hold up nobody. The audit trail is never touched. */
async function prune(services: Services): Promise<number> {
  const { store, clock, runLog, stopping } = services
  let removed = 0
  for (const rule of await rulesOf(services)) {
    const { kind, days } = rule
    const beyond = await lastKept(services, rule)
    for (let more = true; more && !stopping.aborted; ) {
      const which = { before: clock.now() - days * dayMs, beyond, limit: chunk, alone: rule.alone === true, ...scopeOf(rule) }
      const past = await store.reader.runs.prunable(kind, which)
      // A run may have ten thousand steps: they go first, a few at a time.
      while (past.length > 0 && !stopping.aborted && (await store.write((tables) => tables.steps.drop(past, rowChunk))) === rowChunk);
      const ids = past.length === 0 || stopping.aborted ? [] : await store.write((tables) => tables.runs.prune(kind, which))
      for (const id of ids) await runLog.remove(id)
      removed += ids.length
      more = ids.length === chunk
    }
  }
  const yesterday = clock.now() - dayMs
  while (!stopping.aborted && (await store.write((tables) => tables.idempotency.prune(yesterday, rowChunk))) === rowChunk);
  // Clients that log in before each call leave hundreds of thousands a day.
  while (!stopping.aborted && (await store.write((tables) => tables.sessions.prune(yesterday, rowChunk))) === rowChunk);
  return removed
}

/** The oldest of the runs that a rule keeps by their number; null: it keeps them all. Found in strides, with time for others between them. */
async function lastKept({ store, clock, stopping }: Services, rule: Rule): Promise<RunPlace | null> {
  let place: RunPlace | null = null
  for (let left = rule.keep ?? 0; left > 0; left -= stride) {
    place = await store.reader.runs.placeOf(rule.kind, { ...scopeOf(rule), back: Math.min(left, stride), after: place })
    if (place === null || stopping.aborted) return null
    await sleep(clock, 0)
  }
  return place
}

function scopeOf({ of, except }: Rule): PruneScope {
  return { ...(of === undefined ? {} : { of }), ...(except ? { except } : {}) }
}

/** Prunes once an hour, and first a few minutes after the start, when nobody waits for it. */
function startJanitor(services: Services, chores: readonly ((services: Services) => Promise<unknown>)[] = []): { close(): Promise<void> } {
  const { clock, log } = services
  let timer: Timer
  let working: Promise<void> = Promise.resolve()
  const plan = (ms: number) => {
    timer = clock.after(ms, () => {
      working = (async () => {
        for (const chore of [prune, ...chores]) await chore(services)
      })().catch((error) => {
        if (!isFault(error, 'shutting_down')) log.error('janitor.failed', { error })
      })
      plan(hourMs)
    })
  }
  plan(5 * 60_000)
  return {
    async close() {
      timer.cancel()
      await working
    },
  }
}

export { prune, startJanitor }
