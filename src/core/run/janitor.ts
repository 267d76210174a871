import { isFault } from '../kernel/fault.ts'
import type { Timer } from '../kernel/clock.ts'
import type { Services } from '../operation/services.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const chunk = 200

/** How long ended runs of a kind are kept: one rule (design §6). */
function rulesOf({ retention }: Services['settings']): { kind: string; days: number }[] {
  const deploy = ['task', 'replica', 'pipeline', 'procedure', 'action', 'build', 'stack', 'release'].map((kind) => ({
    kind,
    days: retention.deployDays,
  }))
  return [...deploy, { kind: 'workflow', days: retention.workflowDays }]
}

/** Removes runs that are past their time, with their logs, in small pieces that hold up nobody. The audit trail is never touched. */
async function prune(services: Services): Promise<number> {
  const { store, clock, settings, runLog } = services
  let removed = 0
  for (const { kind, days } of rulesOf(settings)) {
    for (let more = true; more; ) {
      const before = clock.now() - days * dayMs
      const ids = await store.write((tables) => tables.runs.prune(kind, { before, keep: settings.retention.keep, limit: chunk }))
      for (const id of ids) await runLog.remove(id)
      removed += ids.length
      more = ids.length === chunk && !services.stopping.aborted
    }
  }
  await store.write(async (tables) => {
    await tables.idempotency.prune(clock.now() - dayMs)
    await tables.sessions.prune(clock.now() - dayMs)
  })
  return removed
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
