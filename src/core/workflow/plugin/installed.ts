import type { Ctx } from '../../operation/context.ts'
import type { WorkflowPlugin } from '../document/model.ts'
import type { PluginSpec } from './spec.ts'

/** The spec of an installed plugin in exactly that version; null when it is not installed. */
function installedSpec(_: Ctx, __: WorkflowPlugin): Promise<PluginSpec | null> {
  return Promise.resolve(null)
}

export { installedSpec }
