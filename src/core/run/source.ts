import type { FlowNode } from '../flow/graph.ts'
import type { Json } from '../kernel/json.ts'
import type { Principal } from '../identity/principal.ts'
import type { Services } from '../operation/services.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { Place } from '../../ports/store/runs.ts'
import type { Work } from '../../ports/runtime.ts'
import type { RunDraft } from './draft.ts'
import type { StepReader } from './unsaved-rows.ts'

/**
 * What the engine asks of a kind of run: how its steps become work, and how its child runs are made. One per kind, named in `core/run/sources.ts`; the
 * engine knows nothing else of tasks, pipelines or workflows.
 */
export type RunSource = {
  /** The kind of run that it serves. */
  readonly kind: string
  /** Somebody else decides what comes after an end: `run.retry` refuses runs of this kind. */
  readonly ownsRepetition?: true
  /** The runtime for a step, and what it counts against. Called once when the step is made; cheap and without waiting. */
  place(services: Services, run: RunRow, node: FlowNode): StepPlacement
  /** The complete work of one attempt, secrets opened: called right before each start. A `Fault` fails the step with its message. */
  work(services: Services, run: RunRow, step: StepRow, node: FlowNode & { kind: 'work' }, input: Json): Promise<PreparedWork>
  /**
   * Carries out a `call` node itself, in place of an operation: undefined for those that it leaves to the operation that they name. A `Fault` fails the
   * step with its message; what is `failed` fails it and keeps the output all the same.
   */
  perform?(
    services: Services,
    run: RunRow,
    step: StepRow,
    node: FlowNode & { kind: 'call' },
    inside: { readonly signal: AbortSignal; readonly rows: StepReader },
  ): Promise<Performed> | undefined
  /**
   * Whether a `call` node that a restart has cut off may be carried out again, where its graph does not say so (`repeatable`): since it may be done twice, or
   * since what it had begun is found again. Asked once after the restart; absent: no.
   */
  repeats?(services: Services, run: RunRow, step: StepRow): Promise<boolean>
  /** The end of a `call` node is stored: it will not be carried out again, so what was kept for that can go. Not called for nodes that take no time. */
  settled?(services: Services, run: RunRow, step: StepRow): void
  /** The child run of a `run` node. */
  child?(services: Services, run: RunRow, node: FlowNode & { kind: 'run' }, input: Json, starter: Principal): Promise<RunDraft>
}

/** What came of a node that a source carried out. */
export type Performed = { readonly output: Json; readonly failed?: { readonly reason: string; readonly message: string } }

export type StepPlacement = { readonly runtime: string; readonly places: readonly Place[] }

/** Work and the values that must not appear in its log. */
export type PreparedWork = {
  readonly work: Omit<Work, 'name' | 'labels' | 'outputLimit'>
  readonly labels: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
}
