import { fault } from '../kernel/fault.ts'
import { CodeBusy, CodeContentRefused, CodeProtocolError, CodeTimeout, CodeUnavailable } from '../../ports/code-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const busyRetryMs = 5000

/** Work on the storage of a repository, with what its failures mean to a caller: `git_unavailable`, `git_timeout`, `overloaded`, `malformed_request`. */
async function onStorage<T>(ctx: Ctx, row: Pick<ResourceRow, 'id' | 'name'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageFault(ctx, row, error)
  }
}

function storageFault(ctx: Ctx, row: Pick<ResourceRow, 'id' | 'name'>, error: unknown): unknown {
  if (error instanceof CodeBusy)
    return fault(
      'overloaded',
      { what: 'the storage of repositories is busy', seconds: busyRetryMs / 1000 },
      { cause: error, retryAfterMs: busyRetryMs },
    )
  if (error instanceof CodeProtocolError) return fault('malformed_request', { why: 'it is not the protocol of the repository' }, { cause: error })
  if (error instanceof CodeContentRefused) {
    return fault(
      'content_invalid',
      { what: `"${row.name}"`, count: 1, first: 'what was asked for is too large or has names that cannot be used' },
      { cause: error },
    )
  }
  if (error instanceof CodeTimeout) {
    const seconds = ctx.services.settings.gitTimeoutMs / 1000
    return fault('git_timeout', { repository: row.name, seconds }, { cause: error })
  }
  if (error instanceof CodeUnavailable) {
    ctx.log.error('repository.storage_failed', { repository: row.id, error })
    return fault('git_unavailable', { repository: row.name }, { cause: error })
  }
  return error
}

export { onStorage }
