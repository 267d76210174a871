import { fault } from '../../core/kernel/fault.ts'
import { bad, memberOf, optionalObject, optionalText, requiredText, serial } from './decode.ts'
import { wholeSeconds } from './encode.ts'
import { listed } from './pages.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { Doing, Route } from './route.ts'

const connection = '/v2/connections/:connection_id'
const modifies = 'CONNECTION_MODIFY' as const
const plugin = '/v2/plugins/:vendor/:name/:version'

type ConnectionView = {
  readonly id: string
  readonly serial: number
  readonly name: string
  readonly plugin_vendor: string
  readonly plugin_name: string
  readonly plugin_version: string
  readonly connection_version: number
  readonly parameters: Json
  readonly created_at: string
  readonly updated_at: string
}

type PluginView = {
  readonly serial: number | null
  readonly vendor: string
  readonly plugin: string
  readonly version: string
  readonly title: string
  readonly description: string
  readonly tags: readonly string[]
  readonly enable_cache: boolean
  readonly connection: Json
  readonly actions: readonly { readonly on_interrupt: string }[]
  readonly triggers: readonly Json[]
  readonly tasks: readonly Json[]
  readonly runtime: string
  readonly status: string
}

/** Connections and plugins (contract §8). */
const connectorRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v2/connections',
    operations: ['connection.list'],
    does: (doing) => listed<ConnectionView>(doing, { member: 'connections', operation: 'connection.list', encode: encodeConnection, atOnce: 200 }),
  },
  {
    method: 'POST',
    path: '/v2/connections',
    permission: modifies,
    body: 'object',
    operations: ['plugin.get', 'connection.create'],
    async does({ invoke, body }) {
      const name = requiredText(body, 'name')
      const [vendor, plugin_name, version] = [
        requiredText(body, 'plugin_vendor'),
        requiredText(body, 'plugin_name'),
        requiredText(body, 'plugin_version'),
      ]
      const parameters = optionalObject(body, 'parameters') ?? {}
      // Natively a connection may come before its plugin; here a plugin that is not there is told at once.
      await invoke('plugin.get', { plugin: `${vendor}/${plugin_name}/${version}` })
      return encodeConnection(await invoke('connection.create', { name, plugin_vendor: vendor, plugin_name, plugin_version: version, parameters }))
    },
  },
  {
    method: 'GET',
    path: connection,
    operations: ['connection.list'],
    does: async (doing) => encodeConnection(await connectionOf(doing)),
  },
  { method: 'PUT', path: connection, permission: modifies, body: 'object', operations: ['connection.update', 'connection.list'], does: update },
  {
    method: 'DELETE',
    path: connection,
    permission: modifies,
    operations: ['connection.delete', 'connection.list'],
    async does(doing) {
      await doing.invoke('connection.delete', { connection: (await connectionOf(doing)).id })
      return { message: 'connection deleted' }
    },
  },
  {
    method: 'POST',
    path: `${connection}/test`,
    permission: modifies,
    operations: ['connection.test', 'connection.list'],
    does: async (doing) => doing.invoke('connection.test', { connection: (await connectionOf(doing)).id }),
  },
  {
    method: 'GET',
    path: '/v2/plugins',
    operations: ['plugin.list'],
    does: (doing) => listed<PluginView>(doing, { member: 'plugins', operation: 'plugin.list', encode: encodePlugin, atOnce: 20 }),
  },
  {
    method: 'POST',
    path: '/v2/plugins',
    permission: 'PLUGIN_MODIFY',
    body: 'object',
    operations: ['plugin.install'],
    does: install,
  },
  {
    method: 'GET',
    path: plugin,
    operations: ['plugin.get'],
    does: async (doing) => encodePlugin(await doing.invoke('plugin.get', { plugin: pluginOf(doing) })),
  },
  {
    method: 'DELETE',
    path: plugin,
    permission: 'PLUGIN_MODIFY',
    operations: ['plugin.delete'],
    async does(doing) {
      await doing.invoke('plugin.delete', { plugin: pluginOf(doing) })
      return { message: 'plugin removed' }
    },
  },
]

async function connectionOf({ invoke, parameters }: Doing): Promise<ConnectionView> {
  const number = serial(parameters.connection_id, 'connection')
  const [found] = (await invoke<{ items: ConnectionView[] }>('connection.list', { serial: number })).items
  if (!found) throw fault('not_found', { kind: 'connection', reference: String(number) }, { private: { absence: 'missing', kind: 'connection' } })
  return found
}

async function update(doing: Doing): Promise<unknown> {
  const { body } = doing
  const { id } = await connectionOf(doing)
  const parameters = optionalObject(body, 'parameters')
  const texts = ['name', 'plugin_vendor', 'plugin_name', 'plugin_version'].flatMap((member) => {
    const text = optionalText(body, member)
    return text === undefined ? [] : [[member, text] as const]
  })
  const changes = { ...Object.fromEntries(texts), ...(parameters !== undefined && { parameters }) }
  return encodeConnection(await doing.invoke('connection.update', { connection: id, ...changes }))
}

async function install({ invoke, body }: Doing): Promise<unknown> {
  const runtime = optionalText(body, 'runtime')
  if (runtime !== undefined && runtime !== 'process' && runtime !== 'container') throw bad('"runtime" is neither "process" nor "container"')
  const [spec, path, image, archive] = [
    optionalText(body, 'spec'),
    optionalText(body, 'path'),
    optionalText(body, 'image'),
    optionalText(body, 'archive'),
  ]
  if (runtime === 'process' && path === undefined && archive === undefined) throw bad('a plugin that runs as a process needs its "path"')
  if (runtime === 'container' && image === undefined) throw bad('a plugin that runs in a container needs its "image"')
  const mode = memberOf(body, 'mode')
  const given = { spec, path, image, archive, ...(mode === 'warm' || mode === 'cold' ? { mode } : {}) }
  return encodePlugin(await invoke('plugin.install', Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))))
}

function pluginOf({ parameters }: Doing): string {
  return `${parameters.vendor}/${parameters.name}/${parameters.version}`
}

function encodeConnection(view: ConnectionView) {
  const { serial: connection_id, name, plugin_vendor, plugin_name, plugin_version, connection_version, parameters } = view
  return {
    connection_id,
    name,
    plugin_vendor,
    plugin_name,
    plugin_version,
    connection_version,
    parameters,
    created_at: wholeSeconds(view.created_at),
    updated_at: wholeSeconds(view.updated_at),
  }
}

// Plugins of the server itself have no number; 0 stands for none.
function encodePlugin(view: PluginView) {
  const { serial: id, plugin: name, title, vendor, version, description, tags, enable_cache, actions, triggers, tasks, runtime, status } = view
  return {
    plugin_id: id ?? 0,
    name,
    title,
    vendor,
    version,
    description,
    tags,
    enable_cache,
    connection: view.connection ?? null,
    actions: actions.map(({ on_interrupt: _, ...action }) => action),
    triggers,
    tasks,
    runtime,
    status,
  }
}

export { connectorRoutes }
