import { builtinAt } from '../builtin/all.ts'
import { specOfBuiltin } from './builtin-spec.ts'
import type { WorkflowPlugin } from '../document/model.ts'
import type { BuiltinAction } from '../builtin/builtin.ts'
import type { Component } from './spec.ts'

/** The server's own action that a step names, with its part of the spec; null when no plugin of that name is part of the server. The version does not count. */
async function findBuiltin(plugin: WorkflowPlugin): Promise<{ action: BuiltinAction; component: Component } | null> {
  const found = builtinAt(plugin)
  const action = found?.actions.get(plugin.identifier)
  const component = found ? (await specOfBuiltin(found)).actions.get(plugin.identifier) : undefined
  return action && component ? { action, component } : null
}

export { findBuiltin }
