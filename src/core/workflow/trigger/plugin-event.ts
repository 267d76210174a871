import { principalOf } from '../../identity/principal.ts'
import { usableConnection } from '../connection/open.ts'
import { triggerOf } from './model.ts'
import { queueEvent } from './queue.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { TriggerEvent } from './queue.ts'

/**
 * Puts what a trigger of a plugin noticed into the queue of each workflow that is bound to it. What it was noticed with a connection is only for owners who
 * may use that connection themselves, with the rights of now.
 */
function queuePluginEvent(db: Tables, row: WorkflowTriggerRow, event: TriggerEvent): ReturnType<typeof queueEvent> {
  const trigger = triggerOf(row)
  const connection = trigger.type === 'plugin' ? trigger.connection : null
  if (connection === null) return queueEvent(db, row, event)
  return queueEvent(db, row, event, {
    mayHear: async (owner) => (await usableConnection(db, principalOf(owner, 'run', null), connection)) !== null,
  })
}

export { queuePluginEvent }
