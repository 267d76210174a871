import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import { isKind, kinds } from '../resource/kind.ts'
import { find } from './find.ts'
import { isSystemNamespace, namespaceName, reserveNamespace } from './namespace.ts'
import { parseReference } from './reference.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { Level } from '../kernel/level.ts'

/** What a grant is on: one resource, or a whole kind (`kind:repository`), whose grants stand under that text instead of an id. */
type GrantObject = {
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly reference: string
  readonly row: ResourceRow | null
}

/**
 * The object that a reference names, if the caller holds `need` on it. Whole kinds are for administrators. A namespace may be named by any of its
 * spellings.
 */
async function grantObject(ctx: Ctx, reference: string, need: Level, operation: string): Promise<GrantObject> {
  if (reference.startsWith('kind:')) return wholeKind(ctx, reference, operation)
  const { kind, name } = parseReference(reference, Object.keys(kinds))
  const spelled = kind === 'namespace' && name !== null ? `namespace:${spell(name)}` : reference
  const { row } = await find(ctx, { kind, need, member: 'on' }, spelled, operation)
  // Every kind in the table above is a kind of resource; users and runs are not in it.
  return ofResource(row as ResourceRow)
}

/** As `grantObject`, but a namespace that does not exist yet is made for administrators: grants and secrets may come before its first use. */
async function grantObjectAhead(ctx: WriteCtx, reference: string, need: Level, operation: string): Promise<GrantObject> {
  const parsed = reference.startsWith('namespace:') ? parseReference(reference, ['namespace']) : null
  if (!parsed?.name || !ctx.principal.administrator) return grantObject(ctx, reference, need, operation)
  return ofResource(await reserveNamespace(ctx, parsed.name))
}

/** The text under which the grants on a whole kind are kept. */
function kindGrantId(kind: string): string {
  return `kind:${kind}`
}

function wholeKind(ctx: Ctx, reference: string, operation: string): GrantObject {
  const kind = reference.slice('kind:'.length)
  if (!ctx.principal.administrator) throw fault('forbidden', { operation, need: 'an administrator', subject: reference }, { private: { reference } })
  if (!isKind(kind) || kind === 'system') {
    throw fault(
      'not_found',
      { kind: 'kind of resource', reference: kind },
      { private: { absence: 'missing', kind: 'kind', reference, member: 'on' } },
    )
  }
  return { id: kindGrantId(kind), kind: 'kind', name: kind, reference, row: null }
}

function ofResource(row: ResourceRow): GrantObject {
  return { id: row.id, kind: row.kind, name: row.name, reference: `${row.kind}:${row.name}`, row }
}

// A name that breaks the rule exists nowhere: it is looked up as it is and not found.
function spell(name: string): string {
  if (isUuid(name) || isSystemNamespace(name)) return name
  try {
    return namespaceName(name)
  } catch {
    return name
  }
}

export type { GrantObject }
export { grantObject, grantObjectAhead, kindGrantId }
