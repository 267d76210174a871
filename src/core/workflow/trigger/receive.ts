import { triggerLevel } from '../../access/find.ts'
import { isSignedIn, viewerOf } from '../../identity/principal.ts'
import { fault } from '../../kernel/fault.ts'
import { isUuid } from '../../kernel/id.ts'
import { deeperThan } from '../../kernel/json.ts'
import { inNetworks, parseAddress, parseNetworks } from '../../kernel/network.ts'
import { Closed, Type } from '../../kernel/schema.ts'
import { defineOperation } from '../../operation/operation.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { startStep } from '../document/shape.ts'
import { declaredVariables, sharedTrigger } from '../variables.ts'
import { workflowSpecOf } from '../spec.ts'
import { triggerOf } from './model.ts'
import { queuePluginEvent } from './plugin-event.ts'
import { activeOf, causeOfCall, queueEvent, queueFor } from './queue.ts'
import { triggerContext } from './settings.ts'
import { isNear, sameText, signatureOf } from './signature.ts'
import { heldAmong, heldOn } from '../../access/held.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { WriteCtx } from '../../operation/context.ts'
import type { AnyOperation } from '../../operation/operation.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { WorkflowTriggerRow } from '../../../ports/store/workflows.ts'

const deepestEvent = 64
const largestBody = 10 * 1024 * 1024

const Accepted = Closed({ events: Type.Integer({ description: 'How many jobs will be started; 0 for an event that came before.' }) })
const audit = {
  subject: (input: { trigger: string }) => `trigger:${input.trigger}`,
  subjectId: (input: { trigger: string }) => (isUuid(input.trigger) ? input.trigger : null),
  detail: (_: unknown, output?: { events: number }) => ({ events: output?.events ?? 0 }),
}
const example = { trigger: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' }

const send = defineOperation({
  name: 'trigger.send-event',
  summary: 'Starts a job of each active workflow that is bound to a trigger; the event is durable when this answers.',
  description:
    'Names a trigger for events, or a workflow. Only workflows count on which the caller holds *execute*, unless the trigger takes events from anybody. The jobs act as the owners of the workflows.',
  input: Closed({
    trigger: Type.String({ maxLength: 300, description: 'Id of a trigger, or of a workflow.' }),
    message: Type.Optional(Type.Unknown({ description: 'An object: its members are the variables of the trigger.' })),
  }),
  output: Accepted,
  access: 'anyone',
  subjects: {},
  effect: 'write',
  audit,
  example: { ...example, message: { text: 'hello' } },
  async run(ctx, input) {
    const message = objectOf(input.message, 'the message')
    if (!isSignedIn(ctx.principal) && !(await takesFromAnybody(ctx, input.trigger))) throw fault('unauthenticated')
    const { trigger, workflows, open } = await boundTo(ctx, input.trigger)
    const ids = workflows.map(({ id }) => id)
    const held = open ? new Set(ids) : await heldAmong(ctx.db, { kind: 'workflow', ids, need: 'execute' }, viewerOf(ctx.principal))
    const chosen = workflows.filter(({ id }) => held.has(id))
    if (chosen.length === 0) throw await refusal(ctx, input.trigger, workflows.length > 0)
    const event = { id: `api.${ctx.ids.record()}`, at: ctx.clock.now(), message, cause: causeOfCall(ctx.origin) }
    for (const workflow of chosen) await checkVariables(ctx, workflow, message)
    const counts = await queueFor(ctx.db, trigger, chosen, event)
    return accepted(ctx, trigger, counts)
  },
})

const receiveWebhook = defineOperation({
  name: 'trigger.receive-webhook',
  summary: 'Takes a signed post for a trigger of type `webhook`; the event is durable when this answers.',
  description:
    'The signature is `sha256=` and the HMAC-SHA-256, in hex, of `<timestamp>.<body>` with the secret; of the body alone where the window of the trigger is 0. A post that comes again starts nothing.',
  input: Closed({
    trigger: Type.String({ maxLength: 300 }),
    signature: Type.String({ maxLength: 200 }),
    timestamp: Type.Optional(Type.String({ maxLength: 20, description: 'Seconds since 1970.' })),
    body: Type.String({ maxLength: largestBody, description: 'The body as it came: a JSON object.' }),
  }),
  output: Accepted,
  access: 'anyone',
  entrance: true,
  subjects: {},
  effect: 'write',
  secretMembers: ['signature', 'body'],
  audit,
  example: { ...example, signature: `sha256=${'0'.repeat(64)}`, timestamp: '1790000000', body: '{"text":"hello"}' },
  async run(ctx, input) {
    const row = isUuid(input.trigger) ? await ctx.db.workflowTriggers.byId(input.trigger) : null
    const trigger = row && triggerOf(row)
    const window = trigger?.type === 'webhook' ? trigger.window_seconds : 0
    const time = window === 0 ? null : (input.timestamp ?? '')
    // Whether there is such a trigger must not be told by the answer, nor by how long it takes.
    const secret = trigger?.type === 'webhook' && row ? secretOf(ctx, row) : null
    const right = sameText(signatureOf(secret ?? 'none', input.body, time), input.signature)
    if (!row || secret === null || !right) throw fault('invalid_credential', {}, { private: { kind: 'trigger', reference: input.trigger } })
    if (time !== null && !isNear(time, ctx.clock.now(), window)) {
      throw fault('malformed_request', { why: `the signed time is more than ${window} seconds away from the time here` })
    }
    const event = {
      id: `webhook.${row.id}.${input.signature.slice('sha256='.length)}`,
      at: ctx.clock.now(),
      message: parsed(input.body),
      cause: null,
    }
    const workflows = await activeOf(ctx.db, row.id)
    if (workflows.length === 0) throw inactive(row)
    for (const workflow of workflows) await checkVariables(ctx, workflow, event.message)
    return accepted(ctx, row, await queueEvent(ctx.db, row, event))
  },
})

const receivePlugin = defineOperation({
  name: 'dispatcher.receive',
  summary: "Takes an event that a plugin's trigger posts; it is durable when this answers.",
  description:
    'Who posts is known by the path alone, which nobody can guess, and posts from this machine or a private network (contract §17). What the event says of itself is not believed.',
  input: Closed({
    trigger: Type.String({ maxLength: 300 }),
    nonce: Type.String({ maxLength: 200 }),
    event: Type.Unknown({ description: 'The whole body: its `body.output` becomes the variables.' }),
  }),
  output: Accepted,
  access: 'anyone',
  entrance: true,
  hidden: true,
  subjects: {},
  effect: 'write',
  secretMembers: ['nonce'],
  audit,
  example: { ...example, nonce: 'x'.repeat(40), event: { body: { output: { text: 'hello' } }, type: 'trigger_event', version: 'v1' } },
  async run(ctx, input) {
    if (!isNearby(ctx.origin.peer)) throw unknown(input.trigger, true)
    const row = isUuid(input.trigger) ? await ctx.db.workflowTriggers.byId(input.trigger) : null
    const secret = row && triggerOf(row).type === 'plugin' ? secretOf(ctx, row) : null
    if (!sameText(secret ?? 'none', input.nonce) || !row || secret === null) throw unknown(input.trigger, false)
    const event = objectOf(input.event, 'the event')
    const message = objectMember(objectMember(event, 'body'), 'output')
    const counts = await queuePluginEvent(ctx.db, row, { id: `plugin.${ctx.ids.record()}`, at: ctx.clock.now(), message, cause: null })
    return accepted(ctx, row, counts)
  },
})

// Plugins post from this machine or from a network of containers on it.
const nearby = parseNetworks(['127.0.0.0/8', '::1/128', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'])

function isNearby(peer: string): boolean {
  const address = parseAddress(peer)
  return address !== null && inNetworks(address, nearby)
}

type Bound = {
  readonly trigger: WorkflowTriggerRow | { readonly id: string; readonly name: string }
  readonly workflows: ResourceRow[]
  readonly open: boolean
}

/** Whether an id leads to a trigger that asks nobody who they are. */
async function takesFromAnybody(ctx: WriteCtx, id: string): Promise<boolean> {
  if (!isUuid(id)) return false
  const named = await ctx.db.workflowTriggers.byId(id)
  if (named) return !named.require_auth && triggerOf(named).type === 'api_trigger'
  const workflow = await ctx.db.resources.byId(id)
  return workflow?.kind === 'workflow' && workflow.deleted_at === null && workflowSpecOf(workflow).active && (await boundTo(ctx, id)).open
}

/** What an id starts: the workflows of a trigger, or a workflow with all that share its trigger. */
async function boundTo(ctx: WriteCtx, id: string): Promise<Bound> {
  if (!isUuid(id)) throw unknown(id, false)
  const named = await ctx.db.workflowTriggers.byId(id)
  if (named) {
    const workflows = triggerOf(named).type === 'api_trigger' ? await activeOf(ctx.db, named.id) : []
    if (workflows.length === 0 && !named.require_auth) throw inactive(named)
    return { trigger: named, workflows, open: !named.require_auth }
  }
  const workflow = await ctx.db.resources.byId(id)
  if (workflow?.kind !== 'workflow' || workflow.deleted_at !== null) throw unknown(id, false)
  const spec = workflowSpecOf(workflow)
  if (!spec.active) {
    const { level } = await heldOn(ctx.db, workflow, viewerOf(ctx.principal))
    throw level === 'none' ? unknown(id, true) : inactive(workflow)
  }
  const document = await ctx.services.workflows.ofVersion(spec.published ?? '')
  const step = document ? startStep(document) : null
  const shared = step ? await ctx.db.workflowTriggers.byId(textMember(step.parameters, 'trigger_config_id')) : null
  if (!shared || triggerOf(shared).type !== 'api_trigger')
    return { trigger: { id: shared?.id ?? '', name: workflow.name }, workflows: [workflow], open: false }
  return { trigger: shared, workflows: await activeOf(ctx.db, shared.id), open: !shared.require_auth }
}

/** Who knows the trigger is told that nothing active is bound to it; to others there is none. */
async function refusal(ctx: WriteCtx, id: string, hidden: boolean) {
  const trigger = hidden ? null : await ctx.db.workflowTriggers.byId(id)
  if (!trigger || (await triggerLevel(ctx, trigger)) === 'none') return unknown(id, hidden)
  const { type } = triggerOf(trigger)
  if (type === 'api_trigger') return inactive(trigger)
  const next = 'Only triggers of type api_trigger are sent events.'
  return fault('state_conflict', { what: `The trigger "${trigger.name}"`, state: `one of type ${type}`, next })
}

/** Refuses a variable of another type than a workflow, or the trigger that it is bound to, declares, by name. */
async function checkVariables(ctx: WriteCtx, workflow: ResourceRow, message: JsonObject): Promise<void> {
  const document = await ctx.services.workflows.ofVersion(workflowSpecOf(workflow).published ?? '')
  if (document) declaredVariables(document, message, await sharedTrigger(ctx.db, document))
}

function secretOf(ctx: WriteCtx, row: WorkflowTriggerRow): string | null {
  return row.sealed === null ? null : ctx.services.secretBox.open(row.sealed, triggerContext(row.id)).reveal()
}

function parsed(body: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw fault('malformed_request', { why: 'the body is not JSON' }, { cause: error })
  }
  return objectOf(value, 'the body')
}

function objectOf(value: unknown, what: string): JsonObject {
  const json = (value ?? {}) as Json // what arrived was JSON
  if (!isJsonObject(json)) throw fault('malformed_request', { why: `${what} is not a JSON object` })
  if (deeperThan(json, deepestEvent)) throw fault('malformed_request', { why: `${what} nests deeper than ${deepestEvent} levels` })
  return Object.fromEntries(Object.keys(json).map((name) => [name, memberOf(json, name) ?? null]))
}

// An event is taken whole or not at all: who sent it is told to come again.
function accepted(
  ctx: WriteCtx,
  trigger: { readonly id: string; readonly name: string },
  counts: { taken: number; full: number },
): { events: number } {
  if (counts.full > 0) throw fault('overloaded', { what: 'too many events of this trigger wait', seconds: 5 }, { retryAfterMs: 5000 })
  ctx.emit({ kind: 'trigger', id: trigger.id, name: trigger.name, state: 'fired', resource_id: null })
  return { events: counts.taken }
}

function unknown(reference: string, hidden: boolean) {
  const context = { absence: hidden ? 'hidden' : 'missing', kind: 'trigger', reference, member: 'trigger' } as const
  return fault('not_found', { kind: 'trigger', reference }, { private: context })
}

function inactive({ name }: { readonly name: string }) {
  return fault('state_conflict', { what: `"${name}"`, state: 'not active', next: 'Activate a workflow that is bound to it first.' })
}

const receiveOperations: readonly AnyOperation[] = [send, receiveWebhook, receivePlugin]

export { receiveOperations }
