import { fault } from '../kernel/fault.ts'
import { labelOf } from '../kernel/label.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** The state of a namespace that has grants, quotas or secrets but was not deployed into. */
const reservedState = 'reserved'

const longest = 63

/** The name of a namespace as it is compared (Deploy API §4.4, rule N): lower case, `_`, `.` and space as `-`, a DNS label. Else `invalid_name`. */
function namespaceName(text: string): string {
  const name = labelOf(text, longest)
  const why = name === null ? `it is no DNS label of at most ${longest} characters` : 'it belongs to the runtime'
  if (name === null || isSystemNamespace(name)) throw fault('invalid_name', { what: 'namespace', name: text, why })
  return name
}

/** Whether a namespace is one of the platform's own, which nobody deploys into (Deploy API §3.7). */
function isSystemNamespace(name: string): boolean {
  return name === 'default' || name.startsWith('kube-')
}

/** The namespace of a name, made in the state `reserved` when there is none. */
async function reserveNamespace(ctx: WriteCtx, text: string): Promise<ResourceRow> {
  const name = namespaceName(text)
  const known = await ctx.db.resources.byName('namespace', name)
  if (known) return known
  const now = ctx.clock.now()
  return ctx.db.resources.insert({
    id: ctx.ids.record(),
    kind: 'namespace',
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: reservedState,
    spec: {},
    created_at: now,
    updated_at: now,
  })
}

export { reservedState, namespaceName, isSystemNamespace, reserveNamespace }
