import { isEnd } from '../../kernel/run-state.ts'
import type { Services } from '../../operation/services.ts'
import type { PluginStep } from '../../../ports/plugin-host.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'

type Parts = Pick<Services, 'plugins' | 'store' | 'log'>

/** Whether the calls that a step had made when a restart cut it off are all found again: then carrying it out again makes none of them twice. */
function recoversCalls({ plugins }: Pick<Services, 'plugins'>, run: RunRow, { key }: StepRow): Promise<boolean> {
  return plugins.recovers({ run: run.id, step: key })
}

/** Lets go of the calls of a step whose end is stored. */
function releaseCalls(services: Parts, run: RunRow, { key }: StepRow): void {
  release(services, { run: run.id, step: key })
}

/** After a restart: ends and removes the calls of steps that ended, or were cancelled, while nobody looked after them. */
async function releaseLeftCalls(services: Parts): Promise<void> {
  const { plugins, store } = services
  const steps = await plugins.kept()
  for (const step of steps) {
    const run = await store.reader.runs.byId(step.run)
    const row = run?.active ? await store.reader.steps.one(step.run, step.step) : null
    if (!row || isEnd(row.state)) release(services, step)
  }
}

// It takes as long as a plugin takes to end, and nobody waits for that.
function release({ plugins, log }: Parts, step: PluginStep): void {
  plugins.release(step).catch((error: unknown) => log.warn('plugin.not_released', { ...step, error }))
}

export { recoversCalls, releaseCalls, releaseLeftCalls }
