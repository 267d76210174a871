import { builtinVendors } from '../job/compile.ts'
import { memberOf, objectMember, textMember, textsMember } from '../document/members.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** The words for what starts workflows. */
const triggerTypes = ['api_trigger', 'plugin', 'timer', 'cron', 'push', 'pull_request', 'run', 'audit', 'webhook'] as const
type TriggerType = (typeof triggerTypes)[number]

/** A trigger by what it does, whichever file or call it came from. Empty lists and texts mean: all. */
type Trigger =
  | { readonly type: 'api_trigger' }
  /** A trigger of a plugin, kept alive while an active workflow is bound to it. */
  | { readonly type: 'plugin'; readonly plugin: WorkflowPlugin; readonly connection: number | string | null; readonly input: JsonObject }
  /** One of the five time triggers, in UTC. */
  | { readonly type: 'timer'; readonly identifier: string; readonly input: JsonObject }
  /** A cron expression in a time zone. */
  | { readonly type: 'cron'; readonly schedule: string; readonly zone: string; readonly message: string }
  /** Commits that came to a branch of a repository that we host; `*` in a branch stands for any letters. */
  | { readonly type: 'push'; readonly repository: string; readonly branches: readonly string[] }
  | { readonly type: 'pull_request'; readonly repository: string; readonly actions: readonly string[] }
  | { readonly type: 'run'; readonly kinds: readonly string[]; readonly states: readonly string[]; readonly name: string }
  | { readonly type: 'audit'; readonly operations: readonly string[]; readonly subject: string }
  /** A post that is signed with a secret. `window_seconds` 0: its time is not signed, and a repeated post is known by its signature. */
  | { readonly type: 'webhook'; readonly window_seconds: number }
  /** What is kept so that it can be exported again. */
  | { readonly type: 'unknown' }

const usualWindowSeconds = 300

/** What a trigger's record means. */
function triggerOf(row: Pick<WorkflowTriggerRow, 'type' | 'spec'>): Trigger {
  const { spec } = row
  switch (row.type) {
    case 'api_trigger':
    case 'trigger_api':
      return { type: 'api_trigger' }
    case 'plugin':
    case 'trigger':
    case 'trigger_plugin':
      return pluginTrigger(spec)
    case 'timer':
      return { type: 'timer', identifier: textMember(spec, 'trigger_name'), input: objectMember(spec, 'input') }
    case 'cron':
      return {
        type: 'cron',
        schedule: textMember(spec, 'schedule'),
        zone: textMember(spec, 'zone') || 'UTC',
        message: textMember(objectMember(spec, 'input'), 'message'),
      }
    case 'push':
      return { type: 'push', repository: textMember(spec, 'repository'), branches: textsMember(spec, 'branches') }
    case 'pull_request':
      return { type: 'pull_request', repository: textMember(spec, 'repository'), actions: textsMember(spec, 'actions') }
    case 'run':
      return { type: 'run', kinds: textsMember(spec, 'kinds'), states: textsMember(spec, 'states'), name: textMember(spec, 'run_name') }
    case 'audit':
      return { type: 'audit', operations: textsMember(spec, 'operations'), subject: textMember(spec, 'subject') }
    case 'webhook':
      return { type: 'webhook', window_seconds: windowOf(memberOf(spec, 'window_seconds')) }
    default:
      return { type: 'unknown' }
  }
}

function windowOf(value: Json | undefined): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 86_400 ? value : usualWindowSeconds
}

/** A plugin's trigger in the members of either file. That of `timers` is ours. */
function pluginTrigger(spec: JsonObject): Trigger {
  const icon = objectMember(spec, 'plugin')
  const text = (kom: string, other: string) => textMember(spec, kom) || textMember(icon, other)
  const plugin: WorkflowPlugin = {
    vendor: text('plugin_vendor', 'slugVendor'),
    name: text('plugin_name', 'slugName'),
    version: text('plugin_version', 'slugVersion'),
    identifier: textMember(spec, 'trigger_name') || textMember(spec, 'identifier'),
  }
  const input = objectMember(spec, 'input')
  if (plugin.name === 'timers' && builtinVendors.has(plugin.vendor)) return { type: 'timer', identifier: plugin.identifier, input }
  const connection = memberOf(spec, 'connection_id') ?? memberOf(spec, 'connection')
  return { type: 'plugin', plugin, connection: typeof connection === 'number' || typeof connection === 'string' ? connection : null, input }
}

/** Whether a name fits a pattern in which `*` stands for any letters, none included. Takes time in proportion to both. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...rest] = parts
  if (rest.length === 0) return pattern === name
  const last = rest.pop() ?? ''
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0 || found + part.length > name.length - last.length) return false
    at = found + part.length
  }
  return true
}

export type { Trigger, TriggerType }
export { triggerTypes, triggerOf, fits }
