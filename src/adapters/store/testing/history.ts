import { runStates } from '../../../core/kernel/run-state.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { AcceptAct, AdvanceAct, Place, StepChange } from '../../../ports/store/runs.ts'
import type { Store } from '../../../ports/store/store.ts'
import { acceptAct, advanceAct, auditRow, runRow, stepRow } from './rows.ts'

export type HistoryAct = { what: 'accept'; act: AcceptAct } | { what: 'advance'; act: AdvanceAct }

/**
 * Groups of random acts, each group handed in at one time: names, idempotency keys, slots, limits and fences meet as often as they can. The same seed gives
 * the same acts, so that two stores can be held to the same results.
 */
export function randomHistory(random: () => number, groups: number, size: number): HistoryAct[][] {
  const runs: RunRow[] = []
  const any = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T // the lists are not empty
  const chance = (part: number) => random() < part
  const places = (): Place[] =>
    ['namespace:a', 'target:local', 'cpu:local'].filter(() => chance(0.4)).map((gauge) => ({ gauge, amount: any([1, 2]), limit: any([2, 4, 6]) }))
  let count = 0

  const accept = (): AcceptAct => {
    const state = any(['queued', 'queued', 'waiting', 'running', 'failed'] as const)
    const run = runRow({
      id: chance(0.02) && runs.length > 0 ? any(runs).id : `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
      name: `n${Math.floor(random() * 6)}`,
      namespace: any(['a', 'b']),
      kind: any(['task', 'pipeline']),
      state,
      active: state !== 'failed',
      created_at: Math.floor(random() * 50),
    })
    runs.push(run)
    const steps = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, position) => stepRow(run.id, `s${position}`, { position }))
    return acceptAct({
      run,
      steps,
      starts: steps.filter(() => chance(0.6)).map(({ key }) => ({ key, places: places() })),
      unique: chance(0.7),
      queueLimit: chance(0.3) ? any([2, 5, 9]) : null,
      idempotency: chance(0.3)
        ? { identity: 'i', route: 'r', key: `k${Math.floor(random() * 12)}`, fingerprint: 'f', outcome: { run: run.id }, at: 1 }
        : null,
      slot: chance(0.2) ? { schedule_id: 's', at: Math.floor(random() * 20) } : null,
      audit: chance(0.5) ? [auditRow({ id: `audit-${count}` })] : [],
    })
  }

  const change = (): StepChange => {
    const patch: Partial<StepRow> = {}
    if (chance(0.8)) patch.state = any(runStates)
    if (chance(0.3)) patch.message = `m${count}`
    if (chance(0.2)) patch.output = { n: [count, null] }
    if (chance(0.1)) patch.attempt = 2
    return { key: `s${Math.floor(random() * 4)}`, attempt: chance(0.9) ? 1 : 2, patch }
  }

  const advance = (): AdvanceAct => {
    const run = any(runs)
    const created: StepRow[] = chance(0.3) ? [stepRow(run.id, `c${++count}`, { position: count })] : []
    const states = any([{ state: any(runStates) }, { message: `r${count}` }, { state: 'succeeded', active: false, finished_at: 5 }] as const)
    return advanceAct(run, {
      fence: chance(0.95) ? 1 : 0,
      steps: Array.from({ length: Math.floor(random() * 3) }, change),
      create: created,
      starts: [...created.map(({ key }) => key), ...['s0', 's1', 's2'].filter(() => chance(0.3))].map((key) => ({ key, places: places() })),
      run: chance(0.6) ? states : null,
      children: chance(0.1) ? [accept()] : [],
      audit: chance(0.2) ? [auditRow({ id: `audit-${++count}` })] : [],
    })
  }

  return Array.from({ length: groups }, () =>
    Array.from(
      { length: 1 + Math.floor(random() * size) },
      (): HistoryAct => (runs.length === 0 || chance(0.35) ? { what: 'accept', act: accept() } : { what: 'advance', act: advance() }),
    ),
  )
}

/** Hands a history to a store, group by group or act by act, and gives the results and all rows that are there afterwards. */
export async function playHistory(
  store: Store,
  history: readonly (readonly HistoryAct[])[],
  by: 'group' | 'act',
): Promise<{ results: unknown[]; rows: unknown }> {
  const results: unknown[] = []
  for (const group of by === 'group' ? history : history.flat().map((act) => [act])) {
    const settled = await Promise.allSettled(group.map(({ what, act }) => (what === 'accept' ? store.engine.accept(act) : store.engine.advance(act))))
    // What failed has a cause of its engine; only that it failed, and by what key, is the same.
    results.push(
      ...settled.map((one) => (one.status === 'fulfilled' ? one.value : { failed: (one.reason as { key?: string }).key ?? String(one.reason) })),
    )
  }
  const everything = { limit: 10_000, after: null }
  const runs = (await store.reader.runs.page({}, null, 'name', everything)).items
  const rows = {
    runs,
    steps: await store.reader.steps.ofRuns(runs.map(({ id }) => id)),
    audit: (await store.reader.audit.page({}, everything)).items,
    records: await Promise.all(Array.from({ length: 12 }, (_, i) => store.reader.idempotency.get('i', 'r', `k${i}`))),
  }
  return { results, rows }
}
