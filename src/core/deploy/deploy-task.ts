import { fault } from '../kernel/fault.ts'
import { auditLineOf } from '../operation/invoke.ts'
import { contentFault } from './content-fault.ts'
import { deployCronJob } from './deploy-cron.ts'
import { answerOf, idempotencyOf, replayOf } from './idempotency.ts'
import { deployWorkload } from './deploy-workload.ts'
import { readManifest } from './manifest.ts'
import { checkedName, givenName } from './names.ts'
import { acceptInto, openPlace } from './place.ts'
import { publishedProblems } from './published.ts'
import { codeOf, readDocument, resolveSource, withinGitBudget } from './source.ts'
import { defaultRuntime, planTask, runtimeIsThere, taskDraft } from './task.ts'
import { acceptedTask } from './task-view.ts'
import { given, readRequest } from './request.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Json } from '../kernel/json.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { Manifest } from './manifest.ts'
import type { NameKind } from './names.ts'
import type { Place } from './place.ts'
import type { DeployRequest } from './request.ts'
import type { Source } from './source.ts'
import type { DeployedTask } from './task-view.ts'

type DeployInput = {
  readonly repository?: string
  readonly directory?: string
  readonly namespace?: string
  readonly name?: string
  readonly branch?: string
  readonly schedule?: string
  readonly configuration?: Json
  readonly idempotency_key?: string
  readonly route?: string
}

/** Deploys a task: everything is settled (names, permission, git, manifest, conflicts, quota) and its record durable when it answers. */
async function deployTask(ctx: Ctx, input: DeployInput, operation: string) {
  const request = readRequest(input)
  const wanted = given(input.name)
  const asked = wanted === null ? null : checkedName(wanted, 'job', 'name')
  const { idempotency_key: _, route: __, ...about } = input
  const idempotency = idempotencyOf(input, operation, about)
  const place = await openPlace(ctx, request, operation)
  const answered = await answerOf<Static<typeof DeployedTask>>(ctx, idempotency)
  if (answered) return answered
  const replay = await replayOf(ctx, idempotency, 'job', asked ?? '')
  if (replay) return { ...acceptedTask(replay.run), replaced: replay.replaced, replayed: true }

  const text = request.repository ?? ''
  const { source, document, code } = await withinGitBudget(ctx, text, () => readAll(ctx, request, place))
  const { manifest, problems } =
    document.value === undefined ? { manifest: null, problems: document.problems } : await readManifest(document.value, document.problems)
  const found = [...problems]
  const name = manifest && nameOf(manifest, request, wanted, found)
  if (manifest?.published && name !== null) found.push(...(await publishedProblems(ctx.db, manifest.published, { namespace: place.namespace, name })))
  if (!manifest || name === null || found.some((problem) => problem.severity !== 'warning')) throw contentFault('manifest.json', found)
  if (request.schedule !== '' && manifest.type !== 'job') {
    const problem: Problem = { path: '/type', code: 'schedule_not_allowed', message: `a ${manifest.type} cannot have a schedule`, severity: 'error' }
    throw fault(
      'content_invalid',
      { what: 'The schedule', count: 1, first: problem.message },
      { details: { problems: [problem] }, private: { kind: 'schedule' } },
    )
  }
  const plan = planTask(ctx, manifest, source, code)
  await runtimeIsThere(defaultRuntime(ctx))
  if (manifest.type !== 'job') {
    const wanted = { manifest, plan, name, namespace: place.namespace, idempotency }
    return acceptInto(ctx, place, (resourceId) => deployWorkload(ctx, { ...wanted, resourceId }))
  }

  const expression = request.schedule || manifest.schedule
  if (expression !== '') {
    const { concurrency } = manifest
    const where = { namespace: place.namespace, name, expression, concurrency, plan }
    return acceptInto(ctx, place, (resourceId) => deployCronJob(ctx, { ...where, resourceId }, idempotency))
  }

  const id = ctx.ids.opaque()
  // The one before may be deleted and not have ended: its name is free, but two of one name never run at once (Deploy API §12.4).
  const before = await ctx.db.runs.activeNamed('task', place.namespace, name)
  const planned = before ? { ...plan, spec: { ...plan.spec, after: before.id } } : plan
  const accepted = await acceptInto(ctx, place, async (resourceId) => {
    const draft = taskDraft(planned, { id, name, namespace: place.namespace, resourceId }, null)
    const audit = [auditLineOf(ctx, { id, name, namespace: place.namespace, ...plan.spec })]
    return ctx.services.engine.accept(ctx, draft, { audit, idempotency, queueLimit: ctx.services.settings.maxQueuedPerNamespace })
  })
  return { ...acceptedTask(accepted.run), replaced: accepted.replaced, replayed: accepted.replayed }
}

async function readAll(ctx: Ctx, request: DeployRequest, place: Place) {
  const { configuration } = request
  const source = await sourceOf(ctx, request, place)
  const document = configuration ?? (source ? await readDocument(ctx, source, 'manifest.json') : { value: undefined, problems: [] })
  const code = source ? await codeOf(ctx, source) : { tree: null, dockerfile: false }
  return { source, document, code }
}

async function sourceOf(ctx: Ctx, request: DeployRequest, place: Place): Promise<Source | null> {
  if (!place.repository || request.directory === null) return null
  return resolveSource(ctx, place.repository, request.directory, request.branch)
}

function kindOf(manifest: Manifest, request: DeployRequest): NameKind {
  if (manifest.type !== 'job') return manifest.type
  return (request.schedule || manifest.schedule) !== '' ? 'cronjob' : 'job'
}

// A name of the request that is wrong is the caller's mistake; one of the manifest is a problem of the document.
function nameOf(manifest: Manifest, request: DeployRequest, wanted: string | null, problems: Problem[]): string | null {
  const kind = kindOf(manifest, request)
  if (wanted !== null) return checkedName(wanted, kind, 'name')
  const name = manifest.name === null ? null : givenName(manifest.name, kind)
  if (name === null) {
    const message = manifest.name === null ? 'is required where the call gives no name' : `"${manifest.name}" cannot become the name of a ${kind}`
    problems.push({ path: '/name', code: manifest.name === null ? 'required' : 'name', message, severity: 'error' })
  }
  return name
}

export type { DeployInput }
export { deployTask }
