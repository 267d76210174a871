import { isFault } from '../kernel/fault.ts'
import { activateNamespace, beginNamespace, mayBegin, withdrawNamespace, writableNamespace } from './namespace.ts'
import { createNamespace } from './namespace-operations.ts'
import { findRepository } from './source.ts'
import type { Level } from '../kernel/level.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { DeployRequest } from './request.ts'

/** Where something shall run and come from, after the permission for it was settled. */
type Place = {
  readonly namespace: string
  /** Null: nobody has used it yet, and the caller may be the first. */
  readonly row: ResourceRow | null
  readonly repository: { readonly row: ResourceRow; readonly level: Level; readonly text: string } | null
}

/**
 * Settles who may put something where, in the order of Deploy API §3.5: first the namespace (`forbidden`), then the repository, and for a namespace that
 * nobody has used the right to begin one.
 */
async function openPlace(ctx: Ctx, request: DeployRequest, operation: string): Promise<Place> {
  const row = await writableNamespace(ctx, request.namespace, operation)
  const text = request.repository
  const repository = text === null ? null : { ...(await findRepository(ctx, text)), text }
  if (!row) await mayBegin(ctx, request.namespace, repository?.level ?? null, operation)
  return { namespace: request.namespace, row, repository }
}

/** Puts something (a run, a schedule) into a namespace, which is made for it when it is the first. When `accept` throws, the namespace is taken back. */
async function acceptInto<T>(ctx: Ctx, place: Place, accept: (resourceId: string) => Promise<T>): Promise<T> {
  const { row, created } = place.row ? { row: place.row, created: false } : await beginNamespace(ctx, createNamespace, place.namespace, 'active')
  try {
    const accepted = await accept(row.id)
    await activateNamespace(ctx, row)
    return accepted
  } catch (error) {
    // A name that is taken proves that the namespace is in use already.
    if (created && !isFault(error, 'name_taken')) await withdrawNamespace(ctx, row)
    throw error
  }
}

export type { Place }
export { openPlace, acceptInto }
