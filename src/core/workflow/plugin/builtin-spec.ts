import { readSpec } from './spec.ts'
import type { BuiltinPlugin } from '../builtin/builtin.ts'
import type { PluginSpec } from './spec.ts'

const known = new WeakMap<BuiltinPlugin, Promise<PluginSpec>>()

/** The spec of a plugin that is part of the server, read once. */
function specOfBuiltin(plugin: BuiltinPlugin): Promise<PluginSpec> {
  const spec = known.get(plugin) ?? readSpec(plugin.spec)
  known.set(plugin, spec)
  return spec
}

export { specOfBuiltin }
