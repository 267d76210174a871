import type { Ctx } from '../operation/context.ts'
import type { Json } from '../kernel/json.ts'
import type { Accepted, AcceptOptions, RunDraft } from './draft.ts'

/** STUB INTERFACE */
export type Engine = {
  /**
   * Makes a run durable and begins with it. Resolves after the commit; nothing has been started before.
   * Errors: `name_taken` (details.existing_id), `quota_exceeded`, `idempotency_key_reuse`, `store_unavailable`, `shutting_down`.
   */
  accept(ctx: Ctx, draft: RunDraft, options?: AcceptOptions): Promise<Accepted>
  /**
   * Orders a run to end: durable when it resolves, carried out afterwards by the server that owns the run. With `cleanup` the nodes that run in any case
   * still do. False when the run had ended already. Repeating the order changes nothing. `reason` becomes the reason of what is cancelled.
   */
  cancel(ctx: Ctx, runId: string, order: CancelOrder): Promise<boolean>
  /** A new run of the same graph and input that names the old one; from a step on when `from` is given: what is not downstream of it counts as done. */
  retry(ctx: Ctx, runId: string, options: { from?: string }): Promise<Accepted>
  /** Answers a question that a run waits for. */
  answer(ctx: Ctx, runId: string, key: string, answer: Json): Promise<void>
}

export type CancelOrder = { readonly cleanup: boolean; readonly reason: string; /** Also marks it as deleted: it leaves the lists at once. */ readonly delete?: boolean }
