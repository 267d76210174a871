import { isObject } from '../core/kernel/json.ts'
import { askSettings } from './ask-settings.ts'
import { callOperation } from './client.ts'
import { CommandFailure } from './exit.ts'
import { packed } from './pack.ts'
import { oneLine } from './terminal.ts'
import type { JsonObject } from '../core/kernel/json.ts'
import type { Server } from './client.ts'
import type { Parameters } from './parameters.ts'
import type { Terminal } from './terminal.ts'

type Asking = { readonly terminal: Terminal; readonly server: Server; readonly input: JsonObject; readonly argument: string | undefined }

/** What a command made from an operation does for people before it calls the operation: names in place of ids, and what can be found out is left out. */
type Comfort = {
  /** Members that may be left out, because they are found out. */
  readonly optional?: readonly string[]
  /** Other descriptions of members. */
  readonly described?: Readonly<Record<string, string>>
  /** An argument besides the members, where none of them is one. */
  readonly argument?: { readonly name: string; readonly description: string }
  readonly complete?: (asking: Asking) => Promise<JsonObject>
  /** Why an output, which is printed, is a failure for scripts; null: it is none. */
  readonly failed?: (output: unknown) => string | null
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const triggerNamed: Comfort = {
  described: { trigger: 'Id of the trigger, or its name where no other has it.' },
  complete: async ({ server, input }) => ({ ...input, trigger: await triggerId(server, String(input.trigger)) }),
}

/** The comforts by operation. */
const comforts: Readonly<Record<string, Comfort>> = {
  'job.list': {
    described: { workflow: 'Id or name of a workflow.' },
    async complete({ server, input }) {
      // The runs of other kinds go by the ids of other things.
      if (typeof input.workflow !== 'string' || uuid.test(input.workflow) || input.all_kinds === true) return input
      return { ...input, workflow: await workflowId(server, input.workflow) }
    },
  },
  'job.rerun': {
    described: { from: '`start` (when left out), `failed_step`, or the name or id of a step. What is not behind that step keeps its outputs.' },
    async complete({ server, input }) {
      const { job, from } = input
      if (typeof from !== 'string' || from === 'start' || from === 'failed_step') return input
      const steps = itemsOf(await callOperation(server, 'job.list-steps', { job }))
      const ids = new Set(steps.filter(({ step, name }) => step === from || name === from).map(({ step }) => String(step)))
      return { ...input, from: onlyOne([...ids], `step "${from}" of the job`, '--from') ?? from }
    },
  },
  'job.decide': {
    optional: ['step', 'path'],
    described: {
      step: 'Name or id of the step that waits; may be left out where one waits.',
      path: 'Name or id of the path to take; asked for when left out.',
    },
    complete: decision,
  },
  'connection.create': {
    async complete({ terminal, server, input }) {
      if (input.parameters !== undefined || !terminal.interactive) return input
      const plugin = `${input.plugin_vendor}/${input.plugin_name}/${input.plugin_version}`
      const found = await callOperation(server, 'plugin.get', { plugin }).catch((error: unknown) => {
        // A connection may be made before its plugin is installed.
        if (error instanceof CommandFailure && error.exit === 'notFound') return null
        throw error
      })
      if (found === null) return input
      return { ...input, parameters: await askSettings(terminal, isObject(found) ? found.connection : null) }
    },
  },
  'connection.test': {
    failed: (output) => (isObject(output) && output.success === false ? 'The connection does not work.' : null),
  },
  'plugin.install': {
    argument: { name: 'package', description: 'A folder, .tar.gz or .zip of a package on this machine, which is sent to the server.' },
    async complete({ input, argument }) {
      return argument === undefined ? input : { ...input, archive: await packed(argument) }
    },
  },
  'trigger.send-event': {
    described: { trigger: 'Id of a trigger or of a workflow, or the name of a workflow.' },
    async complete({ server, input }) {
      const trigger = String(input.trigger)
      return { ...input, trigger: uuid.test(trigger) ? trigger : await workflowId(server, trigger) }
    },
  },
  'trigger.get': triggerNamed,
  'trigger.update': triggerNamed,
  'trigger.delete': triggerNamed,
  'trigger.list-events': triggerNamed,
}

function comfortOf(operation: string): Comfort | null {
  return Object.hasOwn(comforts, operation) ? (comforts[operation] ?? null) : null
}

/** The parameters of a command with what a comfort changes of them. */
function withComfort({ positional, options }: Parameters, { optional = [], described = {} }: Comfort): Parameters {
  const changed = (parameter: Parameters['options'][number]) => ({
    ...parameter,
    required: parameter.required && !optional.includes(parameter.member),
    description: described[parameter.member] ?? parameter.description,
  })
  return { positional: positional && changed(positional), options: options.map(changed) }
}

type Choice = { readonly step: string; readonly stepName: string; readonly edge: string; readonly path: string }

async function decision({ terminal, server, input }: Asking): Promise<JsonObject> {
  if (input.job === undefined) return input
  const choices = choicesOf(await callOperation(server, 'job.get', { job: input.job }))
  if (choices.length === 0) throw new CommandFailure('conflict', 'This job waits for no decision. "capstan job show" says how it stands.')
  const { step } = input
  const there = step === undefined ? choices : choices.filter((choice) => choice.step === step || choice.stepName === step)
  const steps = new Map(there.map((choice) => [choice.step, choice.stepName]))
  if (steps.size === 0) throw new CommandFailure('conflict', `The step "${oneLine(String(step))}" waits for no decision. ${offered(choices)}`)
  if (steps.size > 1) throw new CommandFailure('usage', `Several steps wait: say which with --step. ${offered(choices)}`)
  const path = input.path ?? (await pathAsked(terminal, there))
  const taken = there.find(({ edge }) => edge === path) ?? named(there, String(path))
  if (!taken) throw new CommandFailure('usage', `There is no path "${oneLine(String(path))}" to choose. ${offered(there)}`)
  return { ...input, step: taken.step, path: taken.edge }
}

async function pathAsked(terminal: Terminal, choices: readonly Choice[]): Promise<string> {
  if (!terminal.interactive) throw new CommandFailure('usage', `Missing: --path. ${offered(choices)}`)
  return (await terminal.ask(`${offered(choices)} `)).trim()
}

function named(choices: readonly Choice[], path: string): Choice | undefined {
  const exact = choices.find((choice) => choice.path === path)
  if (exact) return exact
  const like = choices.filter((choice) => choice.path.toLowerCase() === path.toLowerCase())
  return like.length === 1 ? like[0] : undefined
}

function offered(choices: readonly Choice[]): string {
  const steps = new Map<string, Set<string>>()
  for (const { stepName, edge, path } of choices) steps.set(stepName, (steps.get(stepName) ?? new Set()).add(oneLine(path === '' ? edge : path)))
  return [...steps].map(([name, paths]) => `"${oneLine(name)}" takes ${[...paths].join(', ')}.`).join(' ')
}

/** What somebody can choose in a job now. */
function choicesOf(job: unknown): Choice[] {
  const waiting = isObject(job) && Array.isArray(job.waiting_for) ? job.waiting_for.filter(isObject) : []
  return waiting.flatMap(({ step, name, choices }) =>
    (Array.isArray(choices) ? choices : [])
      .filter(isObject)
      .filter(({ timeout_only: late }) => late !== true)
      .map(({ edge, path }) => ({ step: String(step), stepName: String(name), edge: String(edge), path: String(path ?? '') })),
  )
}

async function workflowId(server: Server, workflow: string): Promise<string> {
  const found = await callOperation(server, 'workflow.get', { workflow })
  return isObject(found) ? String(found.id) : workflow
}

async function triggerId(server: Server, trigger: string): Promise<string> {
  if (uuid.test(trigger)) return trigger
  const ids: string[] = []
  for (let cursor: unknown; cursor !== null; ) {
    const page = await callOperation(server, 'trigger.list', { limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    ids.push(...itemsOf(page).flatMap(({ id, name }) => (name === trigger ? [String(id)] : [])))
    cursor = isObject(page) && typeof page.next === 'string' ? page.next : null
  }
  return onlyOne(ids, `trigger "${trigger}"`, 'its id') ?? trigger
}

function onlyOne(ids: readonly string[], what: string, how: string): string | undefined {
  if (ids.length <= 1) return ids[0]
  throw new CommandFailure('usage', `There are ${ids.length} of the name: ${oneLine(what)}. Name one by ${how}: ${ids.join(', ')}.`)
}

function itemsOf(output: unknown): Record<string, unknown>[] {
  return isObject(output) && Array.isArray(output.items) ? output.items.filter(isObject) : []
}

export type { Comfort }
export { comfortOf, withComfort }
