import { triggerLevel } from '../../access/find.ts'
import { heldAmong } from '../../access/held.ts'
import { viewerOf } from '../../identity/principal.ts'
import { fault, problemsFault } from '../../kernel/fault.ts'
import { pageRequest, viewPage } from '../../kernel/page.ts'
import { Closed, listMembers, Nullable, PageOf, Type } from '../../kernel/schema.ts'
import { defineOperation, subject } from '../../operation/operation.ts'
import { missing, usableConnection } from '../connection/open.ts'
import { printableName } from '../named.ts'
import { withMembers } from '../document/members.ts'
import { receiveOperations } from './receive.ts'
import { changeableType, checkTrigger, countRunsFrom, settingMembers, settingsFor, triggerContext, typeMember } from './settings.ts'
import { startOfEvent } from './start-job.ts'
import { TriggerEventView, TriggerView, viewEvent, viewTrigger } from './view.ts'
import type { Ctx } from '../../operation/context.ts'
import type { AnyOperation } from '../../operation/operation.ts'

const secretLetters = 40
const triggerMember = Type.String({ maxLength: 300, description: 'Id of the trigger.' })
const secretMember = Type.String({
  minLength: 16,
  maxLength: 1000,
  description: '`webhook`: what posts are signed with; made and shown once when left out.',
})
const example = { trigger: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' }
const onTrigger = { subject: (input: { trigger: string }) => `trigger:${input.trigger}`, subjectId: (input: { trigger: string }) => input.trigger }
const WithSecret = Closed({
  ...TriggerView.properties,
  secret: Nullable(Type.String({ description: 'Of a `webhook`: shown once, and only if the input named none.' })),
})

const create = defineOperation({
  name: 'trigger.create',
  summary: 'Makes something that starts workflows, and gives it.',
  description:
    'A workflow is bound to it by the member `trigger_config_id` of its first step, while it is active. Its jobs act as the owner of the workflow.',
  input: Closed({
    name: Type.String({ maxLength: 300 }),
    type: typeMember,
    require_auth: Type.Optional(Type.Boolean({ description: '`api_trigger`: false lets anybody send it events who knows its id.' })),
    secret: Type.Optional(secretMember),
    ...settingMembers,
  }),
  output: WithSecret,
  access: { system: 'workflow.modify' },
  subjects: {},
  effect: 'write',
  secretMembers: ['secret'],
  audit: {
    subject: (input) => `trigger:${input.name}`,
    subjectId: (_, output) => output?.id ?? null,
    detail: (input) => ({ type: input.type }),
  },
  example: { name: 'Main has moved', type: 'push', repository: 'lab/weather', branches: ['main'] },
  async run(ctx, input) {
    const { type } = input
    const now = ctx.clock.now()
    const id = ctx.ids.opaque()
    if (input.secret !== undefined && type !== 'webhook') throw noSecret()
    const secret = type === 'webhook' ? (input.secret ?? ctx.ids.letters(secretLetters)) : type === 'plugin' ? ctx.ids.letters(secretLetters) : null
    const row = {
      id,
      name: printableName('trigger', input.name),
      type,
      spec: settingsFor('trigger.create', type, input),
      require_auth: input.require_auth ?? true,
      owner_id: ctx.principal.id,
      sealed: secret === null ? null : ctx.services.secretBox.seal(secret, triggerContext(id)),
      last_error: null,
      created_at: now,
      updated_at: now,
    }
    checkTrigger('trigger.create', row, now)
    await checkConnection(ctx, 'trigger.create', input)
    await ctx.db.workflowTriggers.insert(row)
    await countRunsFrom(ctx, type)
    tell(ctx, row, 'created')
    return { ...(await viewTrigger(ctx, row)), secret: type === 'webhook' && input.secret === undefined ? secret : null }
  },
})

const list = defineOperation({
  name: 'trigger.list',
  summary: 'Lists the triggers that the caller owns, or that start workflows which the caller may read; all of them for administrators.',
  input: Closed({ type: Type.Optional(typeMember), ...listMembers }),
  output: PageOf(TriggerView),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  run(ctx, input) {
    const page = ctx.db.workflowTriggers.page(input.type === undefined ? {} : { type: input.type }, pageRequest(input))
    return viewPage(page, async (rows) => {
      const levels = await Promise.all(rows.map((row) => triggerLevel(ctx, row)))
      return Promise.all(rows.filter((_, index) => levels[index] !== 'none').map((row) => viewTrigger(ctx, row)))
    })
  },
})

const get = defineOperation({
  name: 'trigger.get',
  summary: 'One trigger, without its secret.',
  input: Closed({ trigger: triggerMember }),
  output: TriggerView,
  access: 'signed-in',
  subjects: { trigger: subject('trigger', 'read', 'trigger') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { trigger }) => viewTrigger(ctx, trigger.row),
})

const update = defineOperation({
  name: 'trigger.update',
  summary: 'Changes a trigger and gives it. Settings that are sent take the place of those of before, one by one.',
  input: Closed({
    trigger: triggerMember,
    name: Type.Optional(Type.String({ maxLength: 300 })),
    require_auth: Type.Optional(Type.Boolean()),
    secret: Type.Optional(secretMember),
    ...settingMembers,
  }),
  output: TriggerView,
  access: { system: 'workflow.modify' },
  subjects: { trigger: subject('trigger', 'write', 'trigger') },
  effect: 'write',
  secretMembers: ['secret'],
  audit: onTrigger,
  example: { ...example, branches: ['main', 'release/*'] },
  async run(ctx, input, { trigger: { row } }) {
    const type = changeableType(row)
    if (input.secret !== undefined && type !== 'webhook') throw noSecret()
    const now = ctx.clock.now()
    const next = {
      ...row,
      ...(input.name === undefined ? {} : { name: printableName('trigger', input.name) }),
      ...(input.require_auth === undefined ? {} : { require_auth: input.require_auth }),
      ...(input.secret === undefined ? {} : { sealed: ctx.services.secretBox.seal(input.secret, triggerContext(row.id)) }),
      spec: withMembers(row.spec, settingsFor('trigger.update', type, input)),
      last_error: null,
      updated_at: now,
    }
    checkTrigger('trigger.update', next, now)
    await checkConnection(ctx, 'trigger.update', input)
    const { id: _, created_at: __, ...patch } = next
    await ctx.db.workflowTriggers.update(row.id, patch)
    tell(ctx, next, 'updated')
    return viewTrigger(ctx, next)
  },
})

const remove = defineOperation({
  name: 'trigger.delete',
  summary: 'Deletes a trigger that no active workflow is bound to.',
  input: Closed({ trigger: triggerMember }),
  output: Closed({ id: Type.String(), name: Type.String() }),
  access: { system: 'workflow.modify' },
  subjects: { trigger: subject('trigger', 'write', 'trigger') },
  effect: 'write',
  audit: onTrigger,
  example,
  async run(ctx, _, { trigger: { row } }) {
    const bound = await ctx.db.workflowTriggers.boundTo(row.id)
    if (bound.length > 0) throw fault('in_use', { what: `The trigger "${row.name}"`, by: `${bound.length} active workflow(s)` })
    await ctx.db.workflowTriggers.delete(row.id)
    tell(ctx, row, 'deleted')
    return { id: row.id, name: row.name }
  },
})

const listEvents = defineOperation({
  name: 'trigger.list-events',
  summary: 'What a trigger noticed for workflows that the caller may read, newest first, with the jobs that came of it. Kept for a week.',
  input: Closed({ trigger: triggerMember, ...listMembers }),
  output: PageOf(TriggerEventView),
  access: 'signed-in',
  subjects: { trigger: subject('trigger', 'read', 'trigger') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, input, { trigger: { row } }) =>
    viewPage(ctx.db.triggerEvents.page(row.id, pageRequest(input)), async (rows) => {
      const ids = [...new Set(rows.map((event) => event.workflow_id))]
      const seen = await heldAmong(ctx.db, { kind: 'workflow', ids }, viewerOf(ctx.principal))
      return rows.filter((event) => seen.has(event.workflow_id)).map(viewEvent)
    }),
})

// It is opened as the owner of a workflow that is bound, who may be somebody else: nobody lends out what others may use.
async function checkConnection(ctx: Ctx, operation: string, input: { readonly connection_id?: unknown }): Promise<void> {
  const { connection_id: connection } = input
  if (typeof connection !== 'number' && typeof connection !== 'string') return
  if (await usableConnection(ctx.db, ctx.principal, connection)) return
  throw problemsFault('invalid_input', operation, [{ path: '/connection_id', code: 'value', message: missing(connection) }])
}

function noSecret() {
  return fault('malformed_request', { why: 'only a trigger of type webhook has a secret' })
}

// For administrators only: who else may know of it is not one resource's readers.
function tell(ctx: Ctx, row: { readonly id: string; readonly name: string }, state: string): void {
  ctx.emit({ kind: 'trigger', id: row.id, name: row.name, state, resource_id: null })
}

/** Everything that can be done with triggers. */
const triggerOperations: readonly AnyOperation[] = [create, list, get, update, remove, listEvents, startOfEvent, ...receiveOperations]

export { triggerOperations }
