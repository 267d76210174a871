import type { Ctx } from '../../operation/context.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** Why a connection cannot be used by the caller for a plugin; null when it can. */
function connectionProblem(_: Ctx, connection: number | string, __: WorkflowPlugin): Promise<string | null> {
  return Promise.resolve(`there is no connection "${connection}"`)
}

export { connectionProblem }
