import type { BuiltinPlugin } from './builtin.ts'

/** Every plugin that is part of the server. A new one is a file of actions, a spec and a line here. */
const builtinPlugins: readonly BuiltinPlugin[] = []

export { builtinPlugins }
