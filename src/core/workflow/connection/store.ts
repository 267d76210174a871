import { fault, problemsFault } from '../../kernel/fault.ts'
import { canonical } from '../../kernel/json.ts'
import { printableName, unlessNamed } from '../named.ts'
import { mask, sortParameters } from './parameters.ts'
import { connectionSchema } from './plugin-schema.ts'
import { connectionSpecOf, openParameters, storedParameters } from './spec.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Ctx, WriteCtx } from '../../operation/context.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

type Named = { readonly plugin_vendor: string; readonly plugin_name: string; readonly plugin_version: string }

/** A new connection. A mask in place of a secret is none, and what the plugin would refuse is refused here. */
async function insertConnection(ctx: WriteCtx, name: string, plugin: Named, parameters: JsonObject): Promise<ResourceRow> {
  const now = ctx.clock.now()
  const id = ctx.ids.record()
  const wanted = await schemaFor(ctx, plugin)
  refuseMask(checked(name, wanted.schema, parameters).masked, '')
  return unlessNamed('connection', name, () =>
    ctx.db.resources.insert({
      id,
      kind: 'connection',
      name: printableName('connection', name),
      owner_id: ctx.principal.id,
      parent_id: null,
      private: false,
      active: true,
      state: 'ready',
      spec: {
        ...plugin,
        connection_version: wanted.version,
        ...storedParameters(ctx.services.secretBox, id, wanted.schema, parameters),
      },
      created_at: now,
      updated_at: now,
    }),
  )
}

type Change = {
  readonly name?: string | undefined
  readonly plugin_version?: string | undefined
  readonly parameters?: JsonObject | undefined
}

/**
 * Changes a connection. A secret that comes back as the mask stays what it was only if nothing but the name has changed: with another host beside it, a
 * stored key would go to whoever is there (contract §8).
 */
async function changeConnection(ctx: WriteCtx, row: ResourceRow, change: Change): Promise<ResourceRow> {
  const spec = connectionSpecOf(row)
  const { plugin_vendor, plugin_name } = spec
  const plugin = { plugin_vendor, plugin_name, plugin_version: change.plugin_version ?? spec.plugin_version }
  const name = printableName('connection', change.name ?? row.name)
  const same = change.parameters === undefined || canonical(change.parameters) === canonical(spec.shown)
  const wanted = await schemaFor(ctx, plugin, spec)
  const parameters = same ? openParameters(ctx.services.secretBox, row) : (change.parameters ?? {})
  const sorted = checked(name, wanted.schema, parameters)
  if (!same) refuseMask(sorted.masked || holdsMask(spec.shown, parameters), `, because other settings of "${row.name}" have changed`)
  const next = { ...plugin, connection_version: wanted.version, ...storedParameters(ctx.services.secretBox, row.id, wanted.schema, parameters) }
  await unlessNamed('connection', name, () => ctx.db.resources.update(row.id, { name, spec: next, updated_at: ctx.clock.now() }))
  const changed = await ctx.db.resources.byId(row.id)
  if (!changed) throw fault('not_found', { kind: 'connection', reference: row.name })
  return changed
}

// A plugin that is not here just now leaves what was known of it.
async function schemaFor(ctx: Ctx, plugin: Named, before?: { schema: JsonObject | null; connection_version: number }) {
  const { plugin_vendor: vendor, plugin_name: name, plugin_version: version } = plugin
  const wanted = await connectionSchema(ctx, { vendor, name, version })
  return wanted ?? { schema: before?.schema ?? null, version: before?.connection_version ?? 1 }
}

function checked(name: string, schema: JsonObject | null, parameters: JsonObject) {
  const sorted = sortParameters(schema, parameters)
  if (sorted.problems.length > 0) {
    const problems = sorted.problems.map((problem) => ({ ...problem, path: `/parameters${problem.path}` }))
    throw problemsFault('content_invalid', `The connection "${name}"`, problems)
  }
  return sorted
}

/** Whether the mask stands somewhere where it was shown: the schema may have become another one meanwhile. */
function holdsMask(shown: JsonObject, parameters: JsonObject): boolean {
  return Object.entries(parameters).some(([name, value]) => {
    const before = Object.hasOwn(shown, name) ? shown[name] : undefined
    return before !== undefined && JSON.stringify(before).includes(`"${mask}"`) && JSON.stringify(value).includes(`"${mask}"`)
  })
}

function refuseMask(masked: boolean, why: string): void {
  if (masked) throw fault('malformed_request', { why: `a secret is ${mask}, which only stands for one that is kept; send the secret itself${why}` })
}

export { insertConnection, changeConnection }
