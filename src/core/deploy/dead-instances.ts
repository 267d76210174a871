import { workName } from '../run/attempt.ts'
import { allWorkloads, specDocument, workloadOf } from './workload.ts'
import type { Services } from '../operation/services.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'

const atOnce = 32

/**
 * Takes instances off their routes whose work ended while there was no server, before anything is led to them: by now somebody else may listen at their
 * port. Gives their runs, which the engine records as ended sooner or later.
 */
async function dropDeadInstances(services: Services): Promise<Set<string>> {
  const { store } = services
  const ready = (await allWorkloads(store.reader)).flatMap((row) => workloadOf(row).status.ready.map(({ run }) => ({ run, workload: row.id })))
  const dead = new Set<string>()
  const touched = new Set<string>()
  for (let at = 0; at < ready.length; at += atOnce) {
    const some = ready.slice(at, at + atOnce)
    const steps = new Map((await store.reader.steps.ofRuns(some.map(({ run }) => run))).map((step) => [step.run_id, step]))
    const ended = await Promise.all(some.map(({ run }) => hasEnded(services, steps.get(run))))
    // The engine looks at the same work just now: what it has recorded as ended cannot be found any more.
    const rows = new Map((await store.reader.runs.byIds(some.map(({ run }) => run))).map((row: RunRow) => [row.id, row]))
    for (const [index, { run, workload }] of some.entries()) {
      if (!ended[index] && rows.get(run)?.active) continue
      dead.add(run)
      touched.add(workload)
    }
  }
  if (touched.size > 0) {
    await store.write(async ({ resources }) => {
      for (const id of touched) {
        const row = await resources.byId(id)
        if (!row) continue
        const spec = workloadOf(row)
        const status = { ...spec.status, ready: spec.status.ready.filter(({ run }) => !dead.has(run)) }
        await resources.update(id, { spec: specDocument({ ...spec, status }) })
      }
    })
  }
  return dead
}

// What a runtime cannot tell, or what belongs to another host, is left to whoever owns the run.
async function hasEnded({ runtimes, log }: Services, step: StepRow | undefined): Promise<boolean> {
  if (step?.state !== 'running') return false
  const name = workName(step.run_id, step.position, step.attempt)
  try {
    const found = await runtimes.get(step.runtime)?.recover(name)
    return found?.found === 'ended' || found?.found === 'gone'
  } catch (error) {
    log.warn('workload.instance_not_found', { run: step.run_id, error })
    return false
  }
}

export { dropDeadInstances }
