import { principalOf, system } from '../../identity/principal.ts'
import { fault, isFault } from '../../kernel/fault.ts'
import { Closed, Type } from '../../kernel/schema.ts'
import { auditLineOf, invoke } from '../../operation/invoke.ts'
import { defineOperation } from '../../operation/operation.ts'
import { jobDraft } from '../start.ts'
import { declaredVariables, sharedTrigger } from '../variables.ts'
import { workflowSpecOf } from '../spec.ts'
import type { Ctx } from '../../operation/context.ts'
import type { Services } from '../../operation/services.ts'
import type { TriggerEventRow } from '../../../ports/store/workflows.ts'

/**
 * Starts the job of an event, once, as the owner of the workflow with the rights of now. The dispatcher calls it, and an administrator may. An event that
 * was accepted stays accepted: it starts what was published last, also when the workflow was deactivated meanwhile (contract §20).
 */
const startOfEvent = defineOperation({
  name: 'trigger.start-job',
  summary: 'Starts the job of an event that a trigger took up, unless it was started already.',
  input: Closed({ event: Type.String({ maxLength: 400, description: 'Id of the event.' }) }),
  output: Closed({ job: Type.String(), workflow: Type.String() }),
  access: 'administrator',
  subjects: {},
  effect: 'act',
  hidden: true,
  audit: {
    subject: (_, output) => `workflow:${output?.workflow ?? ''}`,
    subjectId: (_, output) => output?.job ?? null,
    detail: (input) => ({ event: input.event }),
  },
  example: { event: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001.01981c0e-0000-7000-8000-000000000000' },
  async run(ctx, input) {
    const event = await ctx.db.triggerEvents.byId(input.event)
    if (!event) throw fault('not_found', { kind: 'event', reference: input.event }, { private: { kind: 'event', absence: 'missing' } })
    return start(ctx, event)
  },
})

async function start(ctx: Ctx, event: TriggerEventRow): Promise<{ job: string; workflow: string }> {
  const workflow = await ctx.db.resources.byId(event.workflow_id)
  const version = workflow ? workflowSpecOf(workflow).published : null
  const document = version ? await ctx.services.workflows.ofVersion(version) : null
  if (!workflow || !version || !document) throw fault('not_found', { kind: 'workflow', reference: event.workflow_id })
  const owner = workflow.owner_id === system.id ? system : await ownerOf(ctx, workflow.owner_id ?? '')
  const outputs = declaredVariables(document, event.message, await sharedTrigger(ctx.db, document))
  const id = ctx.ids.opaque()
  const made = jobDraft(id, workflow, { id: version, document }, { message: event.message, type: 'active', triggerId: event.trigger_id, outputs })
  const draft = { ...made, spec: { ...made.spec, event_id: event.id, event_depth: event.depth } }
  // The server may be killed between the start and the note of it: the same event gives the same job.
  const once = { route: startOfEvent.name, key: event.id, fingerprint: event.id }
  const options = { idempotency: once, audit: [auditLineOf(ctx, { job: id, workflow: workflow.name })] }
  const { run } = await ctx.services.engine.accept({ ...ctx, principal: owner }, draft, options)
  return { job: run.id, workflow: workflow.name }
}

async function ownerOf(ctx: Ctx, id: string) {
  const user = await ctx.db.users.byId(id)
  if (!user?.active) throw fault('account_inactive', {}, { private: { kind: 'user', reference: id } })
  return principalOf(user, 'run', null)
}

/** Starts the job of an event that this server has taken, and gives its id or why there will be none. Throws where it may be tried again. */
async function startJobOf(services: Services, event: TriggerEventRow): Promise<{ job: string } | { refused: string }> {
  const call = { principal: system, origin: { via: 'trigger', peer: '', requestId: event.id } }
  try {
    return await invoke<{ job: string }>(services, call, startOfEvent.name, { event: event.id })
  } catch (error) {
    if (!isFault(error) || error.code === 'internal' || error.retryAfterMs !== undefined || retried.has(error.code)) throw error
    if (error.code === 'account_inactive')
      return { refused: 'The owner of the workflow may not act any more. Hand the workflow over to somebody who may.' }
    return { refused: error.message }
  }
}

const retried: ReadonlySet<string> = new Set(['overloaded', 'store_unavailable', 'shutting_down', 'deadline_exceeded', 'quota_exceeded'])

export { startOfEvent, startJobOf }
