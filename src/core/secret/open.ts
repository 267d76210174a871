import { atLeast } from '../kernel/level.ts'
import { heldOn } from '../access/held.ts'
import { namespaceScope, repositoryScope } from './scope.ts'
import type { Secret } from '../kernel/json.ts'
import type { SecretBox } from '../../ports/secret-box.ts'
import type { SecretRow } from '../../ports/store/rows.ts'
import type { Tables, Viewer } from '../../ports/store/tables.ts'

/** What a manifest names: `secretKeyRef {name, key}`; `key` is `value` when left out. */
type SecretRef = { readonly name: string; readonly key?: string }

type OpenedSecret = { readonly name: string; readonly key: string; readonly value: Secret }

/** What a sealed secret is bound to. */
function secretContext(id: string): string {
  return `secret:${id}`
}

/**
 * Opens the secrets that a manifest asks for. Each is looked for in the namespace, then for the repository it comes from, then among the general ones;
 * a general one counts only if `viewer` (who deploys it) holds *execute* on `secret:<name>`, which administrators do. What is not there and what may
 * not be used are both in `missing`, so that a manifest cannot find out which general secrets exist.
 */
async function secretsFor(
  from: { readonly tables: Tables; readonly secretBox: SecretBox; readonly viewer: Viewer },
  place: { readonly namespace: string; readonly repositoryId?: string | null },
  refs: readonly SecretRef[],
): Promise<{ found: OpenedSecret[]; missing: { name: string; key: string }[] }> {
  const scopes = [namespaceScope(place.namespace), ...(place.repositoryId ? [repositoryScope(place.repositoryId)] : []), '']
  const found: OpenedSecret[] = []
  const missing: { name: string; key: string }[] = []
  for (const { name, key = 'value' } of refs) {
    const row = await firstOf(from, scopes, name, key)
    if (row) found.push({ name, key, value: from.secretBox.open(row.sealed, secretContext(row.id)) })
    else missing.push({ name, key })
  }
  return { found, missing }
}

async function firstOf(from: { tables: Tables; viewer: Viewer }, scopes: readonly string[], name: string, key: string): Promise<SecretRow | null> {
  for (const scope of scopes) {
    const row = await from.tables.secrets.get(scope, name, key)
    if (row && (scope !== '' || (await mayUse(from, name)))) return row
  }
  return null
}

async function mayUse({ tables, viewer }: { tables: Tables; viewer: Viewer }, name: string): Promise<boolean> {
  const resource = await tables.resources.byName('secret', name)
  if (!resource) return false
  const { level } = await heldOn(tables, resource, viewer)
  return atLeast(level, 'execute')
}

export type { SecretRef, OpenedSecret }
export { secretContext, secretsFor }
