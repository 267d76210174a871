import { fault } from '../kernel/fault.ts'
import { specOf } from '../repository/spec.ts'
import { RemoteFailed } from '../../ports/mirror.ts'
import { parseRemote } from './address.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { MirrorStorage, Remote } from '../../ports/mirror.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { RepositorySpec } from '../repository/spec.ts'
import type { RemoteAddress } from './address.ts'

/** How long an operation that copies from elsewhere may take. */
const transferMs = 60 * 60 * 1000
const mostBytes = 8 * 1024 ** 3

/** What a repository's address is sealed for: moved to another repository it does not open. */
function remoteContext(id: string): string {
  return `repository:${id}:remote`
}

/** The storage that copies repositories of a kind from elsewhere. */
function mirrorStorageOf({ git, hg }: Pick<Services, 'git' | 'hg'>, kind: RepositorySpec['kind']): MirrorStorage {
  return kind === 'hg' ? hg : git
}

/**
 * Work that reaches a remote through a pass of its own, with what may go wrong there as faults: `egress_refused`, `remote_unavailable`. The address is
 * checked before any program is started, and again at each connection.
 */
async function withRemote<T>(ctx: Ctx, address: RemoteAddress, work: (remote: Remote) => Promise<T>): Promise<T> {
  const { egress, egressProxy } = ctx.services
  await egress.resolve(address.host, 'git')
  const { scheme, host, port, url, credentials } = address
  const pass = await egressProxy.open({ scheme, host, port, purpose: 'git' }, { limitBytes: mostBytes })
  try {
    return await work({ url, credentials, pass })
  } catch (error) {
    ctx.signal.throwIfAborted()
    if (!(error instanceof RemoteFailed)) throw error
    ctx.log.info('remote.failed', { remote: url, why: error.message, detail: error.detail })
    throw fault('remote_unavailable', { remote: address.masked, why: error.message }, { cause: error })
  } finally {
    pass.close()
  }
}

/** What a repository's row keeps of its remote. */
function keptRemote({ services }: Ctx, id: string, address: RemoteAddress): Pick<RepositorySpec, 'clone_uri' | 'clone_sealed'> {
  return { clone_uri: address.masked, clone_sealed: services.secretBox.seal(address.whole, remoteContext(id)) }
}

/** The remote of a repository; null when it has none. */
function storedRemote({ services }: Ctx, row: ResourceRow, operation: string): RemoteAddress | null {
  const { clone_sealed } = specOf(row)
  return clone_sealed === null ? null : parseRemote(services.secretBox.open(clone_sealed, remoteContext(row.id)).reveal(), operation)
}

/** What a caller names: the address, or the stored one when it is just what is shown of that (Kallithea contract §15 D29). */
function namedRemote(ctx: Ctx, row: ResourceRow, text: string, operation: string): RemoteAddress {
  const stored = text === specOf(row).clone_uri ? storedRemote(ctx, row, operation) : null
  return stored ?? parseRemote(text, operation)
}

export { transferMs, mirrorStorageOf, withRemote, keptRemote, storedRemote, namedRemote }
