import { memberOf } from '../document/members.ts'
import { connectionAt } from './open.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { UsedBy } from '../active-uses.ts'

/** What a connection is used by: steps that are not switched off, and triggers of plugins. */
function usersOfConnection(db: Tables, id: string): UsedBy {
  const known = new Map<number | string, boolean>()
  const isIt = async (reference: unknown): Promise<boolean> => {
    if (typeof reference !== 'number' && typeof reference !== 'string') return false
    const before = known.get(reference)
    if (before !== undefined) return before
    const is = (await connectionAt(db, reference))?.id === id
    known.set(reference, is)
    return is
  }
  return {
    async document({ steps, triggers }) {
      for (const { connection, is_disabled: disabled } of steps) if (!disabled && (await isIt(connection))) return true
      for (const trigger of triggers) if (await isIt(memberOf(trigger, 'connection_id') ?? memberOf(trigger, 'connection'))) return true
      return false
    },
    trigger: ({ connection }) => isIt(connection),
  }
}

export { usersOfConnection }
