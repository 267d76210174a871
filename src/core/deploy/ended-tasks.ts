import { seal } from '../kernel/schema.ts'
import { Task, taskView } from './task-view.ts'
import type { RunKey, RunSummary, StepSummary } from '../../ports/store/runs.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { TaskView } from './task-view.ts'

type Kept = { readonly version: number; readonly view: TaskView; readonly bytes: number }

/**
 * Remembers how tasks that have ended look: under its id and version a run that has ended never looks different, whichever server changes it. Those kept
 * longest go first.
 */
class EndedTasks {
  readonly #kept = new Map<string, Kept>()
  readonly #largest: number
  #bytes = 0

  constructor(options: { largest: number }) {
    this.#largest = options.largest
  }

  /** The views of these runs in their order, read where they are not known. A run that is gone by then is left out. */
  async views(tables: Tables, keys: readonly RunKey[]): Promise<TaskView[]> {
    const known = keys.map((key) => this.#known(key))
    if (!known.includes(undefined)) return known as TaskView[] // none is missing
    const read = await this.#read(
      tables,
      keys.filter((_, at) => known[at] === undefined).map(({ id }) => id),
    )
    return keys.flatMap(({ id }, at) => known[at] ?? read.get(id) ?? [])
  }

  #known({ id, version, active }: RunKey): TaskView | undefined {
    if (active) return undefined
    const kept = this.#kept.get(id)
    return kept?.version === version ? kept.view : undefined
  }

  async #read(tables: Tables, ids: readonly string[]): Promise<Map<string, TaskView>> {
    const runs = await tables.runs.summaries(ids)
    const steps = new Map<string, StepSummary>((await tables.steps.summaries(ids)).map((step) => [step.run_id, step]))
    return new Map(runs.map((run) => [run.id, this.#look(run, steps.get(run.id) ?? null)]))
  }

  #look(run: RunSummary, step: StepSummary | null): TaskView {
    const view = taskView(run, step)
    if (run.active) return view
    const kept = seal(Task, view)
    this.#keep(run, kept)
    return kept
  }

  #keep({ id, version }: RunSummary, view: TaskView): void {
    this.#drop(id)
    // Twice, because APIs keep the text that they make of it as well.
    const bytes = 500 + 2 * JSON.stringify(view).length
    this.#kept.set(id, { version, view, bytes })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#largest) break
      this.#drop(oldest)
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0
    this.#kept.delete(id)
  }
}

export { EndedTasks }
