import { fault } from '../kernel/fault.ts'
import { system } from '../identity/principal.ts'
import type { Principal } from '../identity/principal.ts'
import type { Services } from '../operation/services.ts'
import type { RunRow } from '../../ports/store/rows.ts'

/** Who a run acts as: the user that started it, with the rights of now. Throws `account_inactive` when that user may act no longer. */
async function starterOf(services: Services, run: RunRow): Promise<Principal> {
  if (run.started_by === system.id) return system
  const user = await services.store.reader.users.byId(run.started_by)
  if (!user?.active) throw fault('account_inactive', {}, { private: { kind: 'user', reference: run.started_by } })
  return {
    kind: user.kind === 'service' ? 'service' : 'user',
    id: user.id,
    name: user.name,
    email: user.email,
    administrator: user.administrator,
    organisation: user.organisation,
    credential: 'run',
    credentialId: run.id,
  }
}

export { starterOf }
