import { fault, problemsFault } from '../../kernel/fault.ts'
import { isEnd, runStates } from '../../kernel/run-state.ts'
import { OneOf, Type } from '../../kernel/schema.ts'
import { marker } from '../../webhook/runs.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { parseCron } from '../../run/cron.ts'
import { triggerOf, triggerTypes } from './model.ts'
import { timetableOf, TimesRefused } from './timetable.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'
import type { Trigger } from './model.ts'

const word = Type.String({ minLength: 1, maxLength: 200 })
const words = Type.Array(word, { maxItems: 50 })
const part = Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9_.+-]+$' })

/** What a trigger of some type needs; each member belongs to the types that its description names. */
const settingMembers = {
  api_schema: Type.Optional(Type.Unknown({ description: '`api_trigger`: a JSON Schema of the events.' })),
  api_variables: Type.Optional(Type.Unknown({ description: '`api_trigger`: a list of `{name, type}`; values of another type are refused.' })),
  plugin_vendor: Type.Optional(part),
  plugin_name: Type.Optional(part),
  plugin_version: Type.Optional(part),
  trigger_name: Type.Optional(
    Type.String({ maxLength: 100, description: "`plugin`: the plugin's trigger; `timer`: periodic, hourly, daily, weekly or monthly." }),
  ),
  connection_id: Type.Optional(Type.Unknown({ description: '`plugin`: number or name of a connection.' })),
  input: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object', description: '`plugin`, `timer`, `cron` (`message`).' })),
  schedule: Type.Optional(Type.String({ maxLength: 130, description: '`cron`: five fields, or a macro as @daily.' })),
  zone: Type.Optional(Type.String({ maxLength: 60, description: '`cron`: a time zone, as Europe/Berlin; UTC when left out.' })),
  repository: Type.Optional(Type.String({ maxLength: 300, description: '`push`, `pull_request`: only of this one.' })),
  branches: Type.Optional(words),
  actions: Type.Optional(words),
  kinds: Type.Optional(words),
  states: Type.Optional(words),
  run_name: Type.Optional(Type.String({ maxLength: 200, description: '`run`: only runs of this name; `*` stands for any letters.' })),
  operations: Type.Optional(words),
  subject: Type.Optional(Type.String({ maxLength: 400, description: '`audit`: only about this, as `repository:lab/weather`.' })),
  window_seconds: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 86_400, description: '`webhook`: how far the signed time may be away; 0: no time is signed.' }),
  ),
}

const typeMember = OneOf(triggerTypes)

/** Members that only some types have. */
const membersOf: Readonly<Record<(typeof triggerTypes)[number], readonly string[]>> = {
  api_trigger: ['api_schema', 'api_variables'],
  plugin: ['plugin_vendor', 'plugin_name', 'plugin_version', 'trigger_name', 'connection_id', 'input'],
  timer: ['trigger_name', 'input'],
  cron: ['schedule', 'zone', 'input'],
  push: ['repository', 'branches'],
  pull_request: ['repository', 'actions'],
  run: ['kinds', 'states', 'run_name'],
  audit: ['operations', 'subject'],
  webhook: ['window_seconds', 'api_schema', 'api_variables'],
}

/** What of a call is kept for a type. A member of another type is refused: whoever sends it means something else. */
function settingsFor(operation: string, type: (typeof triggerTypes)[number], input: Readonly<Record<string, unknown>>): JsonObject {
  const own = membersOf[type]
  const given = Object.keys(settingMembers).filter((name) => input[name] !== undefined)
  const strange = given.filter((name) => !own.includes(name))
  if (strange.length > 0) {
    const problems = strange.map((name) => ({ path: `/${name}`, code: 'unknown', message: `is not known to a trigger of type ${type}` }))
    throw problemsFault('invalid_input', operation, problems)
  }
  return Object.fromEntries(given.map((name) => [name, input[name] as Json])) // what arrived was JSON
}

/** Refuses a trigger that could never fire, with why. */
function checkTrigger(operation: string, row: Pick<WorkflowTriggerRow, 'type' | 'spec'>, now: number): void {
  const problem = triggerProblem(row, now)
  if (problem) throw problemsFault('invalid_input', operation, [{ code: 'value', ...problem }])
}

/** Why a trigger could never fire, with the member that it lies at; null when it could. Throws the faults of `parseCron`. */
function triggerProblem(row: Pick<WorkflowTriggerRow, 'type' | 'spec'>, now: number): { path: string; message: string } | null {
  return variablesProblem(row.spec) ?? problemOf(triggerOf(row), now)
}

/** Variables are a list of objects with a name: what is otherwise would silently allow everything. */
function variablesProblem(spec: JsonObject): { path: string; message: string } | null {
  const variables = memberOf(spec, 'api_variables') ?? []
  const right = Array.isArray(variables) && variables.every((variable) => isJsonObject(variable) && textMember(variable, 'name') !== '')
  return right ? null : { path: '/api_variables', message: 'must be a list of objects with a name' }
}

function problemOf(trigger: Trigger, now: number): { path: string; message: string } | null {
  if (trigger.type === 'plugin') {
    const { vendor, name, version, identifier } = trigger.plugin
    const missing = Object.entries({ plugin_vendor: vendor, plugin_name: name, plugin_version: version, trigger_name: identifier }).find(
      ([, at]) => at === '',
    )
    return missing ? { path: `/${missing[0]}`, message: 'is required' } : null
  }
  if (trigger.type === 'cron') {
    parseCron(trigger.schedule, trigger.zone)
    return null
  }
  if (trigger.type === 'audit') {
    if (trigger.operations.length === 0) return { path: '/operations', message: 'is required' }
    // What the trigger itself does would set it off again.
    const own = trigger.operations.find((operation) => operation.startsWith('trigger.'))
    return own === undefined ? null : { path: '/operations', message: `must not name ${own}, which triggers do` }
  }
  if (trigger.type === 'run') return strangeOf('states', trigger.states, endStates)
  if (trigger.type === 'pull_request') return strangeOf('actions', trigger.actions, pullRequestActions)
  if (trigger.type !== 'timer') return null
  if (!['string', 'undefined'].includes(typeof memberOf(trigger.input, 'message'))) return { path: '/input', message: '"message" is no text' }
  try {
    return timetableOf(trigger, now).next(now) === null ? { path: '/input', message: 'it never comes' } : null
  } catch (error) {
    if (error instanceof TimesRefused) return { path: '/input', message: error.message }
    throw error
  }
}

const endStates = runStates.filter((state) => isEnd(state) && state !== 'skipped')
const pullRequestActions = ['opened', 'updated', 'closed', 'reopened', 'merged'] as const

function strangeOf(name: string, given: readonly string[], known: readonly string[]): { path: string; message: string } | null {
  return given.every((one) => known.includes(one)) ? null : { path: `/${name}`, message: `must be some of ${known.join(', ')}` }
}

/** What a trigger's secret is sealed for. */
function triggerContext(id: string): string {
  return `trigger:${id}`
}

/** Ends of runs count from the first trigger that wants to know of them. */
async function countRunsFrom({ db, clock }: Ctx, type: string): Promise<void> {
  if (type === 'run') await db.settings.setOnce(marker, { at: clock.now() })
}

/** The type of a stored trigger, where it is one that calls can change. */
function changeableType(row: WorkflowTriggerRow): (typeof triggerTypes)[number] {
  const { type } = triggerOf(row)
  if (type === 'unknown')
    throw fault('unsupported', { what: `A trigger of type "${row.type.slice(0, 60)}"`, why: 'it is only kept so that it can be exported again' })
  return type
}

export { settingMembers, typeMember, settingsFor, checkTrigger, triggerProblem, triggerContext, countRunsFrom, changeableType }
