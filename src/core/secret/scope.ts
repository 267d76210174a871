import { find } from '../access/find.ts'
import { grantObject, grantObjectAhead } from '../access/object.ts'
import { fault } from '../kernel/fault.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** Where a secret counts: everywhere, in one namespace, or for one repository. */
type Scope = {
  /** As it is stored: '', `namespace:<name>`, `repository:<id>`. */
  readonly stored: string
  /** As it is shown: '', `namespace:<name>`, `repository:<path>`. */
  readonly shown: string
}

/** The secrets that count everywhere. */
const generalScope: Scope = { stored: '', shown: '' }

function namespaceScope(name: string): string {
  return `namespace:${name}`
}

function repositoryScope(id: string): string {
  return `repository:${id}`
}

/** The scope that a caller names, for changing its secrets: needs *write* on it; the general one is for administrators. */
async function scopeForChange(ctx: WriteCtx, scope: string | undefined, operation: string): Promise<Scope> {
  if (scope?.startsWith('namespace:')) {
    const { name } = await grantObjectAhead(ctx, scope, 'write', operation)
    return { stored: namespaceScope(name), shown: namespaceScope(name) }
  }
  return scopeOf(ctx, scope, operation)
}

/** The scope that a caller names, for looking at the names of its secrets: needs the same as changing them. */
async function scopeOf(ctx: Ctx, scope: string | undefined, operation: string): Promise<Scope> {
  if (scope === undefined || scope === '') {
    if (ctx.principal.administrator) return generalScope
    throw fault('forbidden', { operation: `${operation} without a scope`, need: 'an administrator', subject: 'this server' })
  }
  if (scope.startsWith('namespace:')) {
    const { name } = await grantObject(ctx, scope, 'write', operation)
    return { stored: namespaceScope(name), shown: namespaceScope(name) }
  }
  if (scope.startsWith('repository:')) {
    const { row } = await find(ctx, { kind: 'repository', need: 'write', member: 'scope' }, scope, operation)
    return { stored: repositoryScope(row.id), shown: `repository:${row.name}` }
  }
  throw fault('invalid_reference', { reference: scope, example: 'namespace:weather' })
}

/** How stored scopes are shown. */
async function shownScopes(tables: Tables, stored: readonly string[]): Promise<(scope: string) => string> {
  const ids = stored.filter((scope) => scope.startsWith('repository:')).map((scope) => scope.slice('repository:'.length))
  const rows = ids.length === 0 ? [] : await tables.resources.byIds([...new Set(ids)])
  const shown = new Map(rows.map((row) => [repositoryScope(row.id), `repository:${row.name}`]))
  return (scope) => shown.get(scope) ?? scope
}

export type { Scope }
export { namespaceScope, repositoryScope, scopeForChange, scopeOf, shownScopes }
