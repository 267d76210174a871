import { fault } from '../kernel/fault.ts'
import { auditLineOf } from '../operation/invoke.ts'
import { contentFault } from './content-fault.ts'
import { idempotencyOf, keepConflict, nameInUse, replayOf } from './idempotency.ts'
import { isError } from './manifest.ts'
import { pipelineKey, pipelineNamePattern } from './names.ts'
import { pipelineDraft } from './pipeline-run.ts'
import { planTasks } from './pipeline-tasks.ts'
import { acceptedPipeline } from './pipeline-view.ts'
import { readPipeline } from './pipeline.ts'
import { acceptInto, openPlace } from './place.ts'
import { readDocument, resolveSource, withinGitBudget } from './source.ts'
import { defaultRuntime, runtimeIsThere } from './task.ts'
import { given, readRequest } from './request.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Ctx } from '../operation/context.ts'
import type { DeployInput } from './deploy-task.ts'
import type { PipelineDefinition } from './pipeline.ts'
import type { PlannedTask } from './pipeline-tasks.ts'
import type { Place } from './place.ts'
import type { DeployRequest } from './request.ts'
import type { Source } from './source.ts'

const namePattern = new RegExp(pipelineNamePattern)

/** Starts a pipeline: the whole graph and every task of it is settled and its record durable when it answers. */
async function runPipeline(ctx: Ctx, input: Omit<DeployInput, 'schedule'>, operation: string) {
  const request = readRequest(input)
  const wanted = given(input.name)
  if (wanted !== null && (wanted.length > 100 || !namePattern.test(wanted))) {
    const why = 'it must begin with a letter or digit and hold letters, digits, ".", "_", " " and "-", at most 100'
    throw fault(
      'invalid_name',
      { what: 'pipeline', name: wanted, why },
      { details: { field: 'name' }, private: { kind: 'pipeline', member: 'name' } },
    )
  }
  const { idempotency_key: _, route: __, ...about } = input
  const idempotency = idempotencyOf(input, operation, about)
  const place = await openPlace(ctx, request, operation)
  const replay = await replayOf(ctx, idempotency, 'pipeline', wanted ?? '')
  if (replay) return { ...acceptedPipeline(replay.run), replayed: true }

  const { source, definition, tasks, warning } = await withinGitBudget(ctx, request.repository ?? '', () => readAll(ctx, request, place))
  await runtimeIsThere(defaultRuntime(ctx))
  const name = wanted ?? definition.name
  const existing = await activeNamed(ctx, place.namespace, name)
  if (existing) {
    // It may be what another call with this key has started since.
    const late = await replayOf(ctx, idempotency, 'pipeline', wanted ?? '')
    if (late) return { ...acceptedPipeline(late.run), replayed: true }
    await keepConflict(ctx, idempotency, existing)
    throw nameInUse('pipeline', name, existing)
  }

  const id = ctx.ids.opaque()
  const described = {
    original: definition.original ?? request.directory ?? name,
    repository: source?.repository ?? '',
    directory: source?.directory ?? '',
    branch: source?.branch ?? request.branch ?? 'master',
    commit: source?.commit ?? null,
  }
  const accepted = await acceptInto(ctx, place, async (resourceId) => {
    const { maxParallelTasksPerPipeline, maxQueuedPerNamespace } = ctx.services.settings
    const draft = pipelineDraft(
      tasks,
      { id, name, namespace: place.namespace, resourceId },
      { ...described, warning },
      { parallel: maxParallelTasksPerPipeline },
    )
    const audit = [auditLineOf(ctx, { id, name, namespace: place.namespace, ...described })]
    return ctx.services.engine.accept(ctx, draft, { audit, idempotency, queueLimit: maxQueuedPerNamespace })
  })
  return { ...acceptedPipeline(accepted.run), replayed: accepted.replayed }
}

async function readAll(
  ctx: Ctx,
  request: DeployRequest,
  place: Place,
): Promise<{ source: Source | null; definition: PipelineDefinition; tasks: readonly PlannedTask[]; warning: string | null }> {
  const { repository } = place
  const source = repository && request.directory !== null ? await resolveSource(ctx, repository, request.directory, request.branch) : null
  const document = request.configuration ?? (source ? await readDocument(ctx, source, 'pipeline.json') : { value: undefined, problems: [] })
  if (document.value === undefined) throw contentFault('pipeline.json', document.problems)
  const reading = await readPipeline(document.value, document.problems)
  const origin = { source, repository, branch: source?.branch ?? request.branch ?? 'master' }
  // Also where the graph is wrong: all problems are told at once.
  const planned = await planTasks(ctx, reading.tasks, origin)
  const problems = [...reading.problems, ...planned.problems]
  if (!reading.definition || problems.some(isError)) throw contentFault('pipeline.json', problems)
  if (planned.unsupported) throw planned.unsupported
  return { source, definition: reading.definition, tasks: planned.tasks, warning: warningOf(problems) }
}

/** What a pipeline says of the warnings about it, which nothing else would show once it was accepted. */
function warningOf(problems: readonly Problem[]): string | null {
  const texts = problems.map(({ path, message }) => `${path} ${message}`)
  const shown = texts.slice(0, 5).join('; ')
  return texts.length > 5 ? `${shown}; and ${texts.length - 5} more` : shown || null
}

// The store keeps one active pipeline per name as it is written; that two spellings of one name meet is seen here.
async function activeNamed(ctx: Ctx, namespace: string, name: string): Promise<string | null> {
  const key = pipelineKey(name)
  const page = await ctx.db.runs.page({ kinds: ['pipeline'], namespace, active: true }, null, 'newest', { limit: 1000, after: null })
  return page.items.find((run) => pipelineKey(run.name) === key)?.id ?? null
}

export { runPipeline }
