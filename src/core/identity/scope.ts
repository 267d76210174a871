import type { Principal } from './principal.ts'
import type { AnyOperation } from '../operation/operation.ts'

/**
 * What a credential may be used for, besides what its user may do: `read` (everything that changes nothing), a noun (`repository`), or one operation
 * (`task.deploy`). A credential without a list may do all that its user may.
 */
const scopePattern = '^(read|[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)?)$'

// A narrow credential that could make a wide one would be no narrower than that.
const makers: ReadonlySet<string> = new Set([
  'api-key.create',
  'signing-key.create',
  'session.reissue',
  'user.set-password',
  'user.update',
  'user.create',
  'role.assign',
])

/** Whether the caller's credential reaches an operation. */
function reaches(principal: Principal, operation: Pick<AnyOperation, 'name' | 'effect'>): boolean {
  const { scopes } = principal
  if (!scopes) return true
  if (scopes.includes(operation.name)) return true
  if (makers.has(operation.name)) return false
  const noun = operation.name.slice(0, operation.name.indexOf('.'))
  return scopes.includes(noun) || (operation.effect === 'read' && scopes.includes('read'))
}

/** The scopes of a credential made by a caller: what was asked for, and never more than the caller's own. Null where that is refused. */
function narrowed(principal: Principal, asked: readonly string[] | undefined): readonly string[] | null | 'refused' {
  const own = principal.scopes
  if (!own) return asked && asked.length > 0 ? asked : null
  if (!asked || asked.length === 0) return own
  return asked.every((scope) => own.includes(scope)) ? asked : 'refused'
}

export { scopePattern, reaches, narrowed }
