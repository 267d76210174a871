import { timestamp } from '../../kernel/clock.ts'
import { Closed, Nullable, OneOf, Type } from '../../kernel/schema.ts'
import { pluginRecordOf, specOfRow } from './record.ts'
import { specOfBuiltin } from './builtin-spec.ts'
import type { Static } from '../../kernel/schema.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { BuiltinPlugin } from '../builtin/builtin.ts'
import type { Component, PluginSpec } from './spec.ts'

const Part = Closed({
  step_id: Type.String({ description: 'The name that steps call it by.' }),
  title: Type.String(),
  description: Type.String(),
  input: Type.Unknown({ description: 'JSON Schema.' }),
  output: Type.Unknown({ description: 'JSON Schema.' }),
})

const Action = Closed({
  ...Part.properties,
  on_interrupt: OneOf(['repeat', 'fail'], {
    description: 'What becomes of a call that a restart of the server has cut off, unless the step has `on_interrupt` of its own.',
  }),
})

const Plugin = Closed({
  id: Nullable(Type.String({ description: 'Null for plugins that are part of the server.' })),
  serial: Nullable(Type.Integer()),
  name: Type.String({ description: '`<vendor>/<name>/<version>`' }),
  vendor: Type.String(),
  plugin: Type.String({ description: 'The name within the vendor.' }),
  version: Type.String(),
  title: Type.String(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  enable_cache: Type.Boolean(),
  connection: Type.Unknown({ description: 'JSON Schema of what a connection holds; null when there is none.' }),
  connection_version: Type.Integer(),
  actions: Type.Array(Action),
  triggers: Type.Array(Part),
  tasks: Type.Array(Part),
  runtime: OneOf(['process', 'container', 'builtin']),
  mode: Nullable(OneOf(['warm', 'cold'])),
  image: Nullable(Type.String()),
  status: OneOf(['installed', 'builtin']),
  installed_at: Nullable(Type.String()),
  warnings: Type.Array(Type.String({ description: 'What was read otherwise than it stands in the spec.' })),
})
type PluginView = Static<typeof Plugin>

/** An installed plugin as callers see it. */
async function viewPlugin(row: ResourceRow): Promise<PluginView> {
  const { runtime, mode, image } = pluginRecordOf(row)
  const spec = await specOfRow(row)
  return {
    ...describedOf(spec, (_, { repeatable }) => repeatable),
    id: row.id,
    serial: row.serial,
    runtime,
    mode,
    image,
    status: 'installed',
    installed_at: timestamp(row.created_at),
  }
}

/** A plugin that is part of the server as callers see it. */
async function viewBuiltin(plugin: BuiltinPlugin): Promise<PluginView> {
  const spec = await specOfBuiltin(plugin)
  const described = describedOf(spec, (name) => plugin.actions.get(name)?.repeatable === true)
  return { ...described, id: null, serial: null, runtime: 'builtin', mode: null, image: null, status: 'builtin', installed_at: null }
}

function describedOf(spec: PluginSpec, repeats: (name: string, action: Component) => boolean) {
  const { vendor, version, title, description, tags, enable_cache, connection, connection_version, warnings } = spec
  return {
    ...{ vendor, version, title, description, enable_cache, connection, connection_version },
    plugin: spec.name,
    name: `${vendor}/${spec.name}/${version}`,
    tags: [...tags],
    actions: [...spec.actions].map(([name, action]) => ({
      ...part(action),
      on_interrupt: repeats(name, action) ? ('repeat' as const) : ('fail' as const),
    })),
    triggers: [...spec.triggers.values()].map(part),
    tasks: [...spec.tasks.values()].map(part),
    warnings: [...warnings],
  }
}

function part({ name, title, description, input, output }: Component) {
  return { step_id: name, title, description, input, output }
}

export { Plugin, viewPlugin, viewBuiltin }
