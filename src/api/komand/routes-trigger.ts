import { bad, optionalFlag, optionalText, requiredText, uuid } from './decode.ts'
import { allOf } from './pages.ts'
import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { Doing, Route } from './route.ts'

const base = '/v2/triggers/:id'
const permission = 'WORKFLOW_MODIFY' as const
const triggerOf = ({ parameters }: Doing) => uuid(parameters.id, 'trigger')

type TriggerView = {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly settings: JsonObject
  readonly api_schema: Json
  readonly api_variables: Json
  readonly require_auth: boolean
  readonly status: string
  readonly last_error: string | null
}

/** Triggers (contract §8) and what plugins post to them (§17). */
const triggerRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v2/trigger/:workflow_uid_or_trigger_id/events',
    auth: 'optional',
    body: 'object',
    operations: ['trigger.send-event'],
    async does(doing) {
      await doing.invoke('trigger.send-event', { trigger: uuid(doing.parameters.workflow_uid_or_trigger_id, 'trigger'), message: doing.body })
      return { message: 'trigger event published to queue' }
    },
  },
  {
    method: 'GET',
    path: '/v2/triggers',
    operations: ['trigger.list'],
    async does(doing) {
      return { triggers: (await allOf<TriggerView>(doing, 'trigger.list')).map(encodeTrigger) }
    },
  },
  {
    method: 'POST',
    path: '/v2/triggers',
    permission,
    body: 'object',
    operations: ['plugin.get', 'trigger.create'],
    async does({ invoke, body }) {
      const type = coreType(requiredText(body, 'type'))
      const name = requiredText(body, 'name')
      // Natively a trigger may come before its plugin; here a plugin that is not there is told at once.
      if (type === 'plugin') await findTriggerOfPlugin(invoke, body)
      return encodeTrigger(await invoke('trigger.create', { name, type, ...settingsIn(body, type) }))
    },
  },
  {
    method: 'GET',
    path: base,
    operations: ['trigger.get'],
    does: async (doing) => encodeTrigger(await doing.invoke('trigger.get', { trigger: triggerOf(doing) })),
  },
  { method: 'PUT', path: base, permission, body: 'object', operations: ['trigger.update', 'trigger.get'], does: update },
  {
    method: 'DELETE',
    path: base,
    permission,
    operations: ['trigger.delete'],
    async does(doing) {
      await doing.invoke('trigger.delete', { trigger: triggerOf(doing) })
      return { message: 'trigger deleted' }
    },
  },
  {
    method: 'POST',
    path: '/v2/dispatcher/:trigger_id/:nonce',
    auth: 'none',
    body: 'object',
    operations: ['dispatcher.receive'],
    async does(doing) {
      const { trigger_id: trigger, nonce } = doing.parameters
      await doing.invoke('dispatcher.receive', { trigger, nonce, event: doing.body })
      return { message: 'trigger event published to queue' }
    },
  },
]

async function findTriggerOfPlugin(invoke: Doing['invoke'], body: JsonObject): Promise<void> {
  const [vendor, name, version] = [requiredText(body, 'plugin_vendor'), requiredText(body, 'plugin_name'), requiredText(body, 'plugin_version')]
  const wanted = requiredText(body, 'trigger_name')
  const { triggers } = await invoke<{ triggers: { step_id: string }[] }>('plugin.get', { plugin: `${vendor}/${name}/${version}` })
  if (!triggers.some(({ step_id }) => step_id === wanted)) throw bad(`the plugin ${vendor}/${name} has no trigger "${wanted.slice(0, 60)}"`)
}

async function update(doing: Doing): Promise<unknown> {
  const { body, invoke } = doing
  const trigger = triggerOf(doing)
  const { type } = await invoke<TriggerView>('trigger.get', { trigger })
  const name = optionalText(body, 'name')
  return encodeTrigger(await invoke('trigger.update', { trigger, ...(name !== undefined && { name }), ...settingsIn(body, type) }))
}

const ofPlugin = ['plugin_vendor', 'plugin_name', 'plugin_version', 'trigger_name', 'connection_id', 'input']
// A client may send back what it was shown: members that its type does not have are no settings of it.
const settings: Readonly<Record<string, readonly string[]>> = {
  api_trigger: ['api_schema', 'api_variables'],
  plugin: ofPlugin,
  timer: ['trigger_name', 'input'],
}
const ownOnes = [
  'schedule',
  'zone',
  'input',
  'repository',
  'branches',
  'actions',
  'kinds',
  'states',
  'run_name',
  'operations',
  'subject',
  'window_seconds',
  'secret',
]

function settingsIn(body: JsonObject, type: string): JsonObject {
  const requireAuth = optionalFlag(body, 'require_auth')
  const names = Object.hasOwn(settings, type) ? (settings[type] ?? []) : ownOnes
  const given = names.flatMap((name) => (Object.hasOwn(body, name) && body[name] !== null ? [[name, body[name] as Json]] : []))
  return { ...Object.fromEntries(given), ...(requireAuth !== undefined && { require_auth: requireAuth }) }
}

const coreType = (type: string) => (type === 'plugin_trigger' ? 'plugin' : type)

function encodeTrigger(view: TriggerView) {
  const text = (name: string) => {
    const value = Object.hasOwn(view.settings, name) ? view.settings[name] : undefined
    return typeof value === 'string' ? value : ''
  }
  const own = (name: string, otherwise: Json) => (Object.hasOwn(view.settings, name) ? (view.settings[name] as Json) : otherwise)
  const connection = own('connection_id', 0)
  return {
    id: view.id,
    name: view.name,
    type: view.type === 'plugin' ? 'plugin_trigger' : view.type,
    api_schema: view.api_schema ?? {},
    api_variables: view.api_variables ?? [],
    plugin_vendor: text('plugin_vendor'),
    plugin_name: text('plugin_name'),
    plugin_version: text('plugin_version'),
    trigger_name: text('trigger_name'),
    // A number in the words of clients; 0 stands for none.
    connection_id: typeof connection === 'number' ? connection : 0,
    input: own('input', {}),
    require_auth: view.require_auth,
    status: view.status,
    last_error: view.last_error ?? '',
    ...Object.fromEntries(ownOnes.flatMap((name) => (name !== 'input' && Object.hasOwn(view.settings, name) ? [[name, view.settings[name]]] : []))),
  }
}

export { triggerRoutes }
