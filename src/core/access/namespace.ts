import { fault } from '../kernel/fault.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** The state of a namespace that has grants, quotas or secrets but was not deployed into. */
const reservedState = 'reserved'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** The name of a namespace as it is compared (Deploy API §4.4, rule N): lower case, `_`, `.` and space as `-`, a DNS label. Else `invalid_name`. */
function namespaceName(text: string): string {
  const name = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[_. ]/g, '-')
  const why =
    !label.test(name) || name.length > 63 ? 'it is no DNS label of at most 63 characters' : isForeign(name) ? 'it belongs to the runtime' : null
  if (why) throw fault('invalid_name', { what: 'namespace', name: text, why })
  return name
}

/** Namespaces that belong to the runtime and not to us (Deploy API §3.7). */
function isForeign(name: string): boolean {
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

export { reservedState, namespaceName, isForeign, reserveNamespace }
