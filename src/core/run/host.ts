import type { Services } from '../operation/services.ts'
import type { RunRow, StepRow } from '../../ports/store/rows.ts'
import type { AcceptAct, AdvanceAct, AdvanceResult } from '../../ports/store/runs.ts'
import type { ActiveRun } from './active-run.ts'
import type { RunDraft } from './draft.ts'
import type { RunParent } from './rows.ts'
import type { RunSource } from './source.ts'
import type { WaitingRoom } from './waiting.ts'
import type { Principal } from '../identity/principal.ts'

/** What a run that is carried out needs of the engine around it. */
export type RunHost = {
  readonly services: Services
  readonly waiting: WaitingRoom
  source(kind: string): RunSource
  /** Records an act; tries again for as long as the store cannot be written. */
  persist(act: AdvanceAct): Promise<AdvanceResult>
  /** A run made from a draft, and the act that stores it. */
  prepare(
    draft: RunDraft,
    starter: Principal,
    options: { parent: RunParent | null; retryOf: string | null; earlier: readonly StepRow[] },
  ): Promise<{ run: ActiveRun; act: AcceptAct }>
  adopt(run: ActiveRun): void
  forget(run: ActiveRun): void
  /** The run is about to end as this row says: its end was handed to the store, which keeps the order. For its parent. */
  ending(row: RunRow, exitCode: number | null): void
  /** The run's end is stored. */
  finished(run: ActiveRun): void
  /** The run's state has changed and is stored. */
  changed(row: RunRow): void
  /** An attempt's work has ended and was recorded; what it held may be freed. */
  workEnded(runId: string, position: number, attempt: number, runtime: string): void
  cancelChild(id: string, reason: string): void
  /** After a restart: tells the parent at once if the child has ended meanwhile, or whether it only waits. */
  watchChild(id: string): void
}
