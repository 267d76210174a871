import { bad, flagParameter, memberOf, optionalText, requiredText, sortKeys, uuid, wholeNumber, wordParameter } from './decode.ts'
import { encodeJob, encodeJobArtifact, encodeStep } from './encode-job.ts'
import { listed, listedByIds } from './pages.ts'
import type { JobView, StepView } from './encode-job.ts'
import type { Doing, Route } from './route.ts'
import type { SortKey } from './decode.ts'

const base = '/v2/jobs/:job_id'
const jobOf = ({ parameters }: Doing) => uuid(parameters.job_id, 'job')

const statuses = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'retried', 'dismissed', 'cancelled'] as const
const sortFields = { created_at: 'created', updated_at: 'updated', ended_at: 'ended', job_id: 'id', name: 'name', status: 'state' } as const

/** Jobs (contract §7). */
const jobRoutes: readonly Route[] = [
  { method: 'GET', path: '/v2/jobs', operations: ['job.list', 'job.list-ids'], does: list },
  {
    method: 'GET',
    path: base,
    operations: ['job.get'],
    does: async (doing) => encodeJob(await doing.invoke('job.get', { job: jobOf(doing) })),
  },
  { method: 'PUT', path: base, body: 'object', operations: ['job.update'], does: update },
  {
    method: 'GET',
    path: `${base}/steps`,
    operations: ['job.list-steps'],
    async does(doing) {
      const job = jobOf(doing)
      return (await doing.invoke<{ items: StepView[] }>('job.list-steps', { job })).items.map(encodeStep(job))
    },
  },
  { method: 'POST', path: `${base}/rerun`, body: 'object', operations: ['job.rerun'], does: rerun },
  ...[`${base}/cancel`, `${base}/events/cancel`].map(
    (path): Route => ({
      method: 'POST',
      path,
      operations: ['job.cancel'],
      does: async (doing) => encodeJob(await doing.invoke('job.cancel', { job: jobOf(doing) })),
    }),
  ),
  {
    method: 'POST',
    path: `${base}/dismiss`,
    operations: ['job.dismiss'],
    does: async (doing) => encodeJob(await doing.invoke('job.dismiss', { job: jobOf(doing) })),
  },
  {
    method: 'POST',
    path: `${base}/steps/:step_uid/decision`,
    body: 'object',
    operations: ['job.decide'],
    async does(doing) {
      const [step, path] = [doing.parameters.step_uid, requiredText(doing.body, 'path_uid')]
      const execution = memberOf(doing.body, 'step_id')
      if (execution !== undefined && !Number.isInteger(execution)) throw bad('"step_id" is no whole number')
      return encodeJob(await doing.invoke('job.decide', { job: jobOf(doing), step, path, ...(execution !== undefined && { execution }) }))
    },
  },
  {
    method: 'GET',
    path: `${base}/artifacts`,
    operations: ['job.list-artifacts'],
    async does(doing) {
      const { items } = await doing.invoke<{ items: Parameters<typeof encodeJobArtifact>[0][] }>('job.list-artifacts', { job: jobOf(doing) })
      return { artifacts: items.map(encodeJobArtifact) }
    },
  },
]

/** So many jobs are read at once: their contexts may be large. */
const atOnce = 25
const mostIds = 100_000

async function list(doing: Doing): Promise<unknown> {
  const { query } = doing
  const status = wordParameter(query, 'status', statuses)
  const [limit, offset] = [wholeNumber(query, 'limit'), wholeNumber(query, 'offset') ?? 0]
  const sort = sortKeys(query, sortFields)
  const minimum = flagParameter(query, 'minimum')
  const [workflow, group] = [idParameter(query, 'workflow_uid'), idParameter(query, 'group_id')]
  const [from, to] = [timeParameter(query, 'created_from'), timeParameter(query, 'created_to')]
  if (limit === 0) return { jobs: [] }
  const input = {
    all_kinds: true,
    ...(status && { status }),
    ...(workflow && { workflow }),
    ...(group && { group }),
    ...(from && { created_from: from }),
    ...(to && { created_to: throughout(to) }),
    ...(!isNewestFirst(sort) && { sort }),
    ...(offset > 0 && { offset }),
  }
  const listing = { member: 'jobs', operation: 'job.list', encode: (job: JobView) => encodeJob(job, { minimum }), atOnce }
  if (isNewestFirst(sort) && offset === 0)
    return listed<JobView>(doing, { ...listing, input: { ...input, details: true }, ...(limit !== undefined && { limit }) })
  // In another order jobs change their places while a long list is read.
  const ids = await idsOf(doing, input, limit ?? Number.POSITIVE_INFINITY)
  return listedByIds<JobView>(doing, ids, { ...listing, input: { details: true } })
}

async function idsOf(doing: Doing, input: { readonly offset?: number }, wanted: number): Promise<string[]> {
  const ids: string[] = []
  for (;;) {
    const limit = Math.min(wanted - ids.length, mostIds)
    const offset = (input.offset ?? 0) + ids.length
    const { items } = await doing.invoke<{ items: string[] }>('job.list-ids', { ...input, offset, limit })
    for (const id of items) ids.push(id)
    if (items.length < limit || ids.length >= wanted) return ids
  }
}

function isNewestFirst(sort: readonly SortKey[]): boolean {
  const words = sort.map(({ by, direction }) => `${direction} ${by}`).join(', ')
  return words === '' || words === 'desc created' || words === 'desc created, desc id'
}

function idParameter(query: URLSearchParams, name: string): string | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const id = text.toLowerCase()
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw bad(`the parameter "${name}" is no id`)
  return id
}

function timeParameter(query: URLSearchParams, name: string): string | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text) || Number.isNaN(Date.parse(text))) {
    throw bad(`the parameter "${name}" is no time like 2018-10-24T11:36:17Z`)
  }
  return text
}

/** Times are shown in whole seconds: what is shown with a time is up to that time. */
function throughout(time: string): string {
  return time.replace(/(:\d{2}:\d{2})(?=Z|[+-]\d{2}:\d{2}$|$)/, '$1.999')
}

async function update(doing: Doing): Promise<unknown> {
  const owner = memberOf(doing.body, 'owned_by_id')
  if (owner !== undefined && owner !== null && !Number.isInteger(owner)) throw bad('"owned_by_id" is neither a whole number nor null')
  const investigation = optionalText(doing.body, 'investigation_id')
  const input = { job: jobOf(doing), ...(owner !== undefined && { owned_by: owner }), ...(investigation !== undefined && { investigation }) }
  return encodeJob(await doing.invoke('job.update', input))
}

async function rerun(doing: Doing): Promise<unknown> {
  const from = optionalText(doing.body, 'from')
  const version = wordParameter(doing.query, 'version', ['same', 'active'])
  const job = await doing.invoke<{ id: string }>('job.rerun', { job: jobOf(doing), ...(from !== undefined && { from }), ...(version && { version }) })
  return started(doing, job.id)
}

/** The answer to what started a job (contract §6.1). */
function started({ host }: Doing, id: string) {
  return { job_id: id, job_url: `${host.settings.publicUrl}/jobs/details/${id}`, message: 'event published to queue' }
}

export { jobRoutes, started }
