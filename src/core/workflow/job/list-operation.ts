import { findOrNull } from '../../access/find.ts'
import { viewerOf } from '../../identity/principal.ts'
import { fault } from '../../kernel/fault.ts'
import { encodeCursor, pageRequest } from '../../kernel/page.ts'
import { Closed, OneOf, PageOf, Type, listMembers } from '../../kernel/schema.ts'
import { defineOperation } from '../../operation/operation.ts'
import { roundKind } from '../../run/round-kind.ts'
import { shownOf } from './shown.ts'
import { Job, jobStates, jobStatus, jobSummary, jobViews, subjectOf } from './view.ts'
import type { Static } from '../../kernel/schema.ts'
import type { RunState } from '../../kernel/run-state.ts'
import type { Page, PageRequest } from '../../kernel/page.ts'
import type { Ctx } from '../../operation/context.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { RunFilter, RunSort } from '../../../ports/store/runs.ts'
import type { JobStatus } from './view.ts'

const { context, traversed_paths, potential_next_paths, next_steps, failed_step, errors, waiting_for, ...summary } = Job.properties

/** A job in a list: what only its steps tell is there when details were asked for. */
const ListedJob = Closed({
  ...summary,
  context: Type.Optional(context),
  traversed_paths: Type.Optional(traversed_paths),
  potential_next_paths: Type.Optional(potential_next_paths),
  next_steps: Type.Optional(next_steps),
  failed_step: Type.Optional(failed_step),
  errors: Type.Optional(errors),
  waiting_for: Type.Optional(waiting_for),
})

const sortFields = ['created', 'updated', 'ended', 'id', 'name', 'state'] as const
const moment = { maxLength: 40, description: 'A time, RFC 3339.' }

const uuid = Type.String({ pattern: '^[0-9a-f-]{36}$' })

const filterMembers = {
  workflow: Type.Optional(Type.String({ maxLength: 300, description: 'Id of a workflow; of a task or pipeline, which are their own.' })),
  group: Type.Optional(Type.String({ pattern: '^[0-9a-f-]{36}$', description: 'The first job of a family of re-runs.' })),
  status: Type.Optional(OneOf(jobStates)),
  created_from: Type.Optional(Type.String(moment)),
  created_to: Type.Optional(Type.String(moment)),
  all_kinds: Type.Optional(Type.Boolean({ description: 'Runs of every kind, as jobs.' })),
  sort: Type.Optional(
    Type.Array(Closed({ by: OneOf(sortFields), direction: OneOf(['asc', 'desc']) }), {
      maxItems: sortFields.length,
      description: 'Newest first when left out.',
    }),
  ),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'So many are passed over first.' })),
}
type Filtering = { readonly [member in keyof typeof filterMembers]?: Static<(typeof filterMembers)[member]> | undefined }

const listJobs = defineOperation({
  name: 'job.list',
  summary: 'Jobs of workflows that the caller may read, newest first.',
  input: Closed({
    ...filterMembers,
    details: Type.Optional(Type.Boolean({ description: 'With context, paths and what failed, as `job.get` has them.' })),
    jobs: Type.Optional(
      Type.Array(uuid, {
        maxItems: 1000,
        description:
          'Only these, in this order, as `job.list-ids` gives them; those that are gone or hidden are left out, and nothing else is asked for.',
      }),
    ),
    ...listMembers,
  }),
  output: PageOf(ListedJob),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  async run(ctx, input) {
    const found = input.jobs === undefined ? await pageOf(ctx, input) : { items: await readableAmong(ctx, input.jobs), next: null }
    if (input.details) return { items: await jobViews(ctx, found.items), next: found.next }
    const shown = await shownOf(ctx)
    return { items: found.items.map((run) => jobSummary(ctx, run, shown)), next: found.next }
  },
})

const mostIds = 100_000

const listIds = defineOperation({
  name: 'job.list-ids',
  summary: 'The ids of jobs that the caller may read, in any order, as they stand at one moment.',
  description: 'For a long list in an order that changes while it is read: with `jobs` of `job.list` it is read in parts, none of its jobs twice.',
  input: Closed({ ...filterMembers, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: mostIds })) }),
  output: Closed({ items: Type.Array(Type.String()) }),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { sort: [{ by: 'name', direction: 'asc' }], limit: 20 },
  async run(ctx, input) {
    const { limit = mostIds, offset = 0 } = input
    const { filter, lone } = await filterFor(ctx, input)
    if (lone) return { items: lone.map(({ id }) => id).slice(offset, offset + limit) }
    return { items: await ctx.db.runs.sortedIds(filter, viewerOf(ctx.principal), input.sort ?? [], { limit, offset }) }
  },
})

async function pageOf(
  ctx: Ctx,
  input: Filtering & { readonly limit?: number | undefined; readonly cursor?: string | undefined },
): Promise<Page<RunRow>> {
  const { filter, lone } = await filterFor(ctx, input)
  const page = pageRequest(input)
  if (lone) return { items: lone.slice(input.offset ?? 0), next: null }
  const byCount = (input.sort?.length ?? 0) > 0 || input.offset !== undefined || page.after?.[0] === counting
  if (byCount) return counted(ctx, filter, input.sort ?? [], page, input.offset ?? 0)
  return ctx.db.runs.page(filter, viewerOf(ctx.principal), 'newest', page)
}

/** What the store is asked for; `lone` when it is one run at most, which is shown as its own workflow or family. */
async function filterFor(ctx: Ctx, input: Filtering): Promise<{ readonly filter: RunFilter; readonly lone: RunRow[] | null }> {
  const { group, status } = input
  const root = group === undefined ? null : await ctx.db.runs.byId(group)
  const own = input.workflow === undefined ? null : await ctx.db.runs.byId(input.workflow)
  // The jobs of a family belong to one workflow, whose jobs an index gives.
  const workflow = input.workflow ?? root?.resource_id ?? undefined
  const states = status === undefined ? {} : filterOf(status)
  const filter: RunFilter = {
    // Rounds are parts of their jobs.
    ...(input.all_kinds ? { exceptKind: roundKind } : { kinds: ['workflow'] }),
    ...(workflow === undefined ? {} : { resourceId: workflow }),
    ...(group === undefined ? {} : { group }),
    ...states,
    ...(input.created_from === undefined ? {} : { createdFrom: momentOf(input.created_from, 'created_from') }),
    ...(input.created_to === undefined ? {} : { createdTo: momentOf(input.created_to, 'created_to') }),
  }
  const alone = [root, own].find((run) => run && run.kind !== 'workflow' && run.kind !== roundKind)
  if (!alone || !input.all_kinds) return { filter, lone: null }
  const { createdFrom = 0, createdTo = Number.POSITIVE_INFINITY } = filter
  const fits =
    (group === undefined || group === alone.id) &&
    (input.workflow === undefined || input.workflow === subjectOf(alone).workflow) &&
    (status === undefined || jobStatus(alone) === status) &&
    alone.created_at >= createdFrom &&
    alone.created_at <= createdTo
  return { filter, lone: fits ? await readableAmong(ctx, [alone.id]) : [] }
}

/** Those of some jobs that the caller may read, in their order. */
async function readableAmong(ctx: Ctx, ids: readonly string[]): Promise<RunRow[]> {
  const rows = new Map((await ctx.db.runs.byIds(ids)).map((row) => [row.id, row]))
  const known = new Map<string, boolean>()
  const readable: RunRow[] = []
  for (const id of ids) {
    const row = rows.get(id)
    if (!row || row.kind === roundKind || row.deleted_at !== null) continue
    // What may be read follows from what a run belongs to and who started it.
    const subject = `${row.resource_id ?? row.id} ${row.started_by}`
    const may = known.get(subject) ?? (await findOrNull(ctx, { kind: 'run', need: 'read' }, `run:${id}`)) !== null
    known.set(subject, may)
    if (may) readable.push(row)
  }
  return readable
}

// The cursor of a list that is counted says how far it has come.
const counting = 'offset'

async function counted(ctx: Ctx, filter: RunFilter, sort: readonly RunSort[], page: PageRequest, offset: number): Promise<Page<RunRow>> {
  const [kind, number] = page.after ?? [counting, offset]
  if (kind !== counting || !Number.isSafeInteger(number) || Number(number) < 0) {
    throw fault('invalid_input', { operation: 'the list', count: 1, first: '/cursor is not a cursor of this list' })
  }
  const from = Number(number)
  const ids = await ctx.db.runs.sortedIds(filter, viewerOf(ctx.principal), sort, { limit: page.limit + 1, offset: from })
  const rows = new Map((await ctx.db.runs.byIds(ids.slice(0, page.limit))).map((row) => [row.id, row]))
  const items = ids.slice(0, page.limit).flatMap((id) => rows.get(id) ?? [])
  const next = ids.length > page.limit ? encodeCursor([counting, from + page.limit]) : null
  return { items, next }
}

function filterOf(status: JobStatus): Pick<RunFilter, 'states' | 'mark'> {
  if (status === 'failed' || status === 'retried' || status === 'dismissed') {
    return { states: ['failed', 'timed_out', 'lost'] satisfies RunState[], mark: status === 'failed' ? 'none' : status }
  }
  return { states: status === 'running' ? ['running', 'starting'] : [status] }
}

function momentOf(text: string, member: string): number {
  const moment = Date.parse(text)
  if (Number.isNaN(moment)) throw fault('invalid_input', { operation: 'job.list', count: 1, first: `/${member} is no time` }, { private: { member } })
  return moment
}

export { listJobs, listIds }
