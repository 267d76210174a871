import { fault } from '../../kernel/fault.ts'
import { everyoneId } from '../../kernel/builtin.ts'
import { grant } from '../../repository/grants.ts'
import { builtinPlugins } from '../builtin/all.ts'
import { mayPull } from './registry.ts'
import { pluginName, storedRecord } from './record.ts'
import { SpecRefused, readSpec } from './spec.ts'
import { PluginRefused } from '../../../ports/plugin-host.ts'
import { DuplicateKey } from '../../../ports/store/store.ts'
import type { Ctx } from '../../operation/context.ts'
import type { PluginRecord } from './record.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

/** Where a plugin comes from: a folder below the plugin root, an archive of a package, or an image with the text of its spec. */
type Origin =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'archive'; readonly bytes: Uint8Array }
  | { readonly kind: 'image'; readonly image: string; readonly spec: string }

const archiveLimit = 64 * 1024 * 1024

/**
 * Installs a plugin: its spec is read, what its calls need is made, and only then it is there. `expected` is a spec that the caller has sent along: it must
 * name the same plugin. What an archive left on the disk is gone again when anything fails.
 */
async function installPlugin(ctx: Ctx, origin: Origin, options: { mode: PluginRecord['mode']; expected: string | null }): Promise<ResourceRow> {
  const { plugins } = ctx.services
  const path = await readable(() =>
    origin.kind === 'archive' ? plugins.unpack(once(origin.bytes), { limitBytes: archiveLimit }) : Promise.resolve(null),
  )
  let made: PluginRecord | null = null
  try {
    const found = origin.kind === 'image' ? { path: null, spec: origin.spec } : await readable(() => plugins.readPackage(path ?? pathOf(origin)))
    const { vendor, name, version, enable_cache: cache } = await readable(() => readSpec(found.spec))
    const plugin = { vendor, name, version }
    if (options.expected !== null) await sameAs(plugin, options.expected)
    if (builtinPlugins.some((one) => one.vendor === vendor && one.name === name))
      throw fault('name_taken', { kind: 'plugin', name: `${vendor}/${name}` })
    const taken = await ctx.db.resources.byName('plugin', pluginName(plugin))
    if (taken) throw fault('name_taken', { kind: 'plugin', name: pluginName(plugin) })
    const image = origin.kind === 'image' ? origin.image : null
    const record: PluginRecord = {
      ...plugin,
      runtime: image === null ? 'process' : 'container',
      path: found.path,
      image,
      cache,
      mode: options.mode,
      text: found.spec,
    }
    if (image !== null) await mayPull(ctx, image)
    made = record
    await readable(() => plugins.prepare(record, { signal: ctx.signal }))
    return await keepRecord(ctx, record)
  } catch (error) {
    // Another of the same name that is there uses what was made for it.
    const keep = error instanceof DuplicateKey
    const left = made ?? (path === null ? null : leftover(path))
    if (left && !keep) await plugins.forget(left)
    throw keep && made ? fault('name_taken', { kind: 'plugin', name: pluginName(made) }) : error
  }
}

function keepRecord(ctx: Ctx, record: PluginRecord): Promise<ResourceRow> {
  return ctx.write(async (write) => {
    const now = ctx.clock.now()
    const row = await write.db.resources.insert({
      id: ctx.ids.record(),
      kind: 'plugin',
      name: pluginName(record),
      owner_id: ctx.principal.id,
      parent_id: null,
      private: false,
      active: true,
      state: 'ready',
      spec: storedRecord(record),
      created_at: now,
      updated_at: now,
    })
    await grant(write, row.id, { id: everyoneId, kind: 'user' }, 'read')
    write.emit({ kind: 'plugin', id: row.id, name: row.name, state: 'created', resource_id: row.id })
    return row
  })
}

/** What is wrong with a package or a spec is the caller's to put right. */
async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof PluginRefused || error instanceof SpecRefused) throw fault('malformed_request', { why: error.message.replace(/\.$/, '') })
    throw error
  }
}

async function sameAs(plugin: { vendor: string; name: string; version: string }, text: string): Promise<void> {
  const given = await readable(() => readSpec(text))
  if (pluginName(given) !== pluginName(plugin))
    throw fault('malformed_request', { why: `the spec names ${pluginName(given)}, and the package is ${pluginName(plugin)}` })
}

function pathOf(origin: Origin): string {
  return origin.kind === 'path' ? origin.path : ''
}

// An archive that was unpacked and whose spec cannot be read: nothing but its folder is there.
function leftover(path: string): PluginRecord {
  const none = { image: null, cache: false, mode: 'cold', text: '' } as const
  return { vendor: '', name: path, version: '', runtime: 'process', path, ...none }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}

export type { Origin }
export { installPlugin }
