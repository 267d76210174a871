import { parseReference } from '../../access/reference.ts'
import { resourceAt } from '../../access/row.ts'
import { memberOf } from '../document/members.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { UsedBy } from '../active-uses.ts'

/** What a shared list is used by: steps that are not switched off and append to it, or look rows of it up. */
function usersOfArtifact(db: Tables, id: string): UsedBy {
  const known = new Map<string, boolean>()
  return {
    async document({ steps }) {
      for (const { type, parameters, is_disabled: disabled } of steps) {
        const named = type === 'helpers' && !disabled ? memberOf(parameters, 'globalArtifact') : undefined
        if (typeof named !== 'string' || named === '') continue
        const is = known.get(named) ?? (await resourceAt(db, parseReference(named, ['artifact'])))?.id === id
        known.set(named, is)
        if (is) return true
      }
      return false
    },
  }
}

export { usersOfArtifact }
