import { memberOf, textMember } from '../document/members.ts'
import { builtinAt } from '../builtin/all.ts'
import { nodesOf } from './nodes.ts'
import { installedRow } from '../plugin/installed.ts'
import { specOfRow } from '../plugin/record.ts'
import { isFault } from '../../kernel/fault.ts'
import { starterOf } from '../../run/starter.ts'
import type { Services } from '../../operation/services.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowStep } from '../document/model.ts'

/** What `parameters.on_interrupt` of an action may be: what becomes of it when a restart of the server has cut it off. */
const interruptions = ['repeat', 'fail'] as const
type Interruption = (typeof interruptions)[number]

/** What the step itself says; null: its type decides. Anything but `repeat` is the careful answer. */
function interruptionOf({ parameters }: WorkflowStep): Interruption | null {
  if (memberOf(parameters, 'on_interrupt') === undefined) return null
  return textMember(parameters, 'on_interrupt') === 'repeat' ? 'repeat' : 'fail'
}

/** Whether an action may be done again, as far as the document tells: the step says so, or the server's own action knows it. */
function isRepeatable(step: WorkflowStep): boolean {
  const said = interruptionOf(step)
  if (said !== null) return said === 'repeat'
  return step.plugin !== null && builtinAt(step.plugin)?.actions.get(step.plugin.identifier)?.repeatable === true
}

/** Whether a step that a restart has cut off may be done again because the spec of its plugin says so, where the step itself says nothing. */
async function repeatsByItsPlugin(services: Services, run: RunRow, { node }: StepRow): Promise<boolean> {
  const found = nodesOf(await services.workflows.document(run)).stepOf(node)
  const plugin = found?.part === 'main' && found.step.type === 'action' && interruptionOf(found.step) === null ? found.step.plugin : null
  if (!plugin || builtinAt(plugin)) return false
  try {
    const row = await installedRow(services.store.reader, await starterOf(services, run), plugin)
    return row !== null && (await specOfRow(row)).actions.get(plugin.identifier)?.repeatable === true
  } catch (error) {
    // Whose starter may act no longer is not called again.
    if (isFault(error)) return false
    throw error
  }
}

export { interruptions, isRepeatable, repeatsByItsPlugin }
