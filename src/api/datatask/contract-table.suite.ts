// The facts of the contract's route table (§10, §11), written down anew and not taken from `routes.ts`: tests hold the one against the other.

/**
 * What a member of an answer is: a type (`?`: or null), words that it is one of, a list of one shape, or an object with just these members in this order.
 * `time` is RFC 3339 in UTC with milliseconds.
 */
export type Shape = string | readonly [Shape] | { readonly [member: string]: Shape }

/** One row of the table. A field's default is what its absence means; null: it is required. `:repository` and `manifest` are taken from there. */
export type Row = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly auth: 'protected' | 'open'
  readonly fields: Readonly<Record<string, string | null>>
  readonly body: Shape
  /** Besides those that every route has, and on a protected one those of identity. */
  readonly errors: readonly Code[]
}

/** Every code of §4.3 with its status. */
export const codes = {
  invalid_parameter: 400,
  invalid_name: 400,
  invalid_schedule: 400,
  invalid_form: 400,
  duplicate_field: 400,
  invalid_configuration: 400,
  identity_required: 401,
  invalid_token: 401,
  identity_untrusted: 401,
  unknown_identity: 401,
  forbidden: 403,
  cross_site_request: 403,
  route_not_found: 404,
  repository_not_found: 404,
  branch_not_found: 404,
  directory_not_found: 404,
  manifest_not_found: 404,
  pipeline_file_not_found: 404,
  template_not_found: 404,
  namespace_not_found: 404,
  job_not_found: 404,
  cronjob_not_found: 404,
  deployment_not_found: 404,
  service_not_found: 404,
  task_not_found: 404,
  pipeline_not_found: 404,
  work_not_found: 404,
  method_not_allowed: 405,
  name_in_use: 409,
  type_conflict: 409,
  deployment_backs_service: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  manifest_invalid: 422,
  pipeline_invalid: 422,
  schedule_not_allowed: 422,
  source_required: 422,
  dockerfile_not_found: 422,
  template_invalid: 422,
  idempotency_key_reuse: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  internal_error: 500,
  git_unavailable: 502,
  overloaded: 503,
  runtime_unavailable: 503,
  store_unavailable: 503,
  shutting_down: 503,
  git_timeout: 504,
} as const
export type Code = keyof typeof codes

const task: Shape = {
  id: 'string',
  name: 'string',
  namespace: 'string',
  type: 'job|cronjob|deployment|service',
  state: 'pending|building|starting|running|scheduled|succeeded',
  generation: 'integer',
  repository: 'string',
  directory: 'string',
  branch: 'string',
  commit: 'string?',
  schedule: 'string',
  image: 'string?',
  created_by: 'string',
  created_at: 'time',
  replaced: 'boolean',
}
const taskState: Shape = {
  id: 'string',
  name: 'string',
  namespace: 'string',
  type: 'job|cronjob|deployment|service',
  state: 'pending|building|starting|running|scheduled|degraded|succeeded|failed|killed|deleted',
  generation: 'integer',
  reason: 'string?',
  message: 'string?',
  attempt: 'integer',
  max_attempts: 'integer',
  exit_code: 'integer?',
  repository: 'string',
  directory: 'string',
  branch: 'string',
  commit: 'string?',
  schedule: 'string',
  next_schedule_time: 'time?',
  last_schedule_time: 'time?',
  replicas: 'integer?',
  ready_replicas: 'integer?',
  pipeline_id: 'string?',
  cronjob: 'string?',
  created_by: 'string',
  created_at: 'time',
  started_at: 'time?',
  finished_at: 'time?',
}
const work: Shape = {
  work_id: 'string',
  kind: 'task|pipeline',
  state: 'pending|running|succeeded|failed',
  step: 'resolving|fetching|reading|validating|done',
  repository: 'string',
  directory: 'string',
  branch: 'string',
  commit: 'string?',
  configuration: 'object?',
  problems: [{ path: 'string', code: 'string', message: 'string', severity: 'error|warning' }],
  error: 'object?',
  created_at: 'time',
  finished_at: 'time?',
  expires_at: 'time?',
}
const pipeline: Shape = {
  id: 'string',
  name: 'string',
  namespace: 'string',
  original: 'string',
  state: 'pending|running|succeeded|failed|killing|killed',
  reason: 'string?',
  message: 'string?',
  repository: 'string',
  directory: 'string',
  branch: 'string',
  commit: 'string?',
  created_by: 'string',
  created_at: 'time',
  started_at: 'time?',
  finished_at: 'time?',
  tasks: [
    {
      name: 'string',
      namespacetask: 'string',
      dependance: ['string'],
      'run-if-error': 'boolean',
      state: 'waiting|pending|building|starting|running|succeeded|failed|skipped|killed',
      reason: 'string?',
      task_id: 'string?',
      exit_code: 'integer?',
      started_at: 'time?',
      finished_at: 'time?',
    },
  ],
}
const item = {
  id: 'string',
  name: 'string',
  namespace: 'string',
  state: 'string',
  labels: 'object',
  image: 'string?',
  repository: 'string',
  directory: 'string',
  branch: 'string',
  commit: 'string?',
  created_by: 'string',
  created_at: 'time',
}
const tasks: Shape = {
  jobs: [
    {
      ...item,
      active: 'integer',
      succeeded: 'integer',
      failed: 'integer',
      exit_code: 'integer?',
      started_at: 'time?',
      finished_at: 'time?',
      pipeline_id: 'string?',
      cronjob: 'string?',
    },
  ],
  cronJobs: [{ ...item, schedule: 'string', suspended: 'boolean', active: ['string'], last_schedule_time: 'time?', next_schedule_time: 'time?' }],
  deployments: [{ ...item, replicas: 'integer', ready_replicas: 'integer', service: 'string?' }],
  services: [
    {
      ...item,
      deployment: 'string',
      port: 'integer',
      container_port: 'integer',
      internal_url: 'string',
      url: 'string?',
      published: 'object?',
    },
  ],
}
const pods: Shape = {
  pods: [
    {
      name: 'string',
      namespace: 'string',
      phase: 'Pending|Running|Succeeded|Failed|Unknown',
      ready: 'boolean',
      restarts: 'integer',
      reason: 'string?',
      exit_code: 'integer?',
      node: 'string',
      ip: 'string?',
      image: 'string?',
      task_id: 'string',
      owner: { kind: 'job|deployment', name: 'string' },
      created_at: 'time',
      started_at: 'time?',
      finished_at: 'time?',
    },
  ],
}
const templates: Shape = { template_filenames: ['string'] }
const template: Shape = { template_path: 'string', template: 'object' }
const deleted = (kind: string, more: Readonly<Record<string, Shape>> = {}): Shape => ({
  kind,
  namespace: 'string',
  name: 'string',
  id: 'string',
  deleted: 'true',
  ...more,
})

const places = ['repository_not_found', 'branch_not_found', 'directory_not_found'] as const
const git = ['git_unavailable', 'git_timeout'] as const
const limits = ['quota_exceeded', 'rate_limited', 'overloaded', 'runtime_unavailable'] as const
const form = ['duplicate_field', 'invalid_form', 'payload_too_large', 'unsupported_media_type'] as const
const act = ['invalid_name', 'invalid_parameter', 'forbidden', 'name_in_use', 'idempotency_key_reuse', ...limits, ...git] as const
const deploy = [...act, ...places, 'manifest_not_found', 'type_conflict', 'dockerfile_not_found', 'manifest_invalid'] as const
const deployForm = [...deploy, ...form, 'invalid_schedule', 'schedule_not_allowed'] as const
const run = [...act, ...places, 'pipeline_file_not_found', 'pipeline_invalid'] as const
const load = ['invalid_parameter', ...form, ...limits] as const
const getTemplate = ['invalid_parameter', ...form, 'template_not_found', 'template_invalid', 'store_unavailable'] as const
const ofNamespace = ['invalid_name', 'invalid_parameter', 'namespace_not_found'] as const
const remove = [...ofNamespace, 'forbidden', 'runtime_unavailable'] as const

const row = (method: Row['method'], path: string, auth: Row['auth'], fields: Row['fields'], body: Shape, errors: readonly Code[]): Row => ({
  method,
  path,
  auth,
  fields,
  body,
  errors,
})

/** The 33 routes. */
export const table: readonly Row[] = [
  row('GET', '/v1/task/deploy/:repository/:directory', 'protected', {}, task, deploy),
  row('GET', '/v1/task/deployas/:repository/:directory/:name', 'protected', {}, task, deploy),
  row('GET', '/v1/task/deployinas/:repository/:directory/:namespace/:name', 'protected', {}, task, deploy),
  row(
    'POST',
    '/v1/task/elaborate/deployinas/:repository/:directory/:namespace/:name',
    'protected',
    { branch: 'master', schedule: '' },
    task,
    deployForm,
  ),
  row(
    'POST',
    '/v2/task/elaborate/deploy/:repository/:directory',
    'protected',
    { namespace: ':repository', name: 'manifest', branch: 'master', schedule: '' },
    task,
    deployForm,
  ),
  row('POST', '/v2/task/load/configuration/from-git/:repository/:directory', 'open', { branch: 'master' }, work, load),
  row('GET', '/v2/task/get/configuration-loading-state/:work_id', 'open', {}, work, ['invalid_parameter', 'work_not_found']),
  row(
    'POST',
    '/v2/task/deploy/with-configuration',
    'protected',
    { namespace: null, configuration: null, repository: '', directory: '', branch: 'master' },
    task,
    [...act, ...places, ...form, 'type_conflict', 'dockerfile_not_found', 'manifest_invalid', 'invalid_configuration', 'source_required'],
  ),
  row('GET', '/v1/task/state/:id', 'open', {}, taskState, ['invalid_parameter', 'task_not_found']),
  row('POST', '/v2/task/get/template', 'open', { template_path: null }, template, getTemplate),
  row('GET', '/v1/pipeline/runas/:repository/:directory/:name', 'protected', {}, pipeline, run),
  row('GET', '/v1/pipeline/runinas/:repository/:directory/:namespace/:name', 'protected', {}, pipeline, run),
  row('POST', '/v1/pipeline/elaborate/runinas/:repository/:directory/:namespace/:name', 'protected', { branch: 'master' }, pipeline, [
    ...run,
    ...form,
  ]),
  row('POST', '/v2/pipeline/elaborate/run/:repository/:directory/:name', 'protected', { namespace: ':repository', branch: 'master' }, pipeline, [
    ...run,
    ...form,
  ]),
  row('POST', '/v2/pipeline/load/configuration/from-git/:repository/:directory', 'open', { branch: 'master' }, work, load),
  row('GET', '/v2/pipeline/get/configuration-loading-state/:work_id', 'open', {}, work, ['invalid_parameter', 'work_not_found']),
  row('POST', '/v2/pipeline/run/with-configuration', 'protected', { namespace: null, configuration: null, branch: 'master' }, pipeline, [
    ...act,
    ...places,
    ...form,
    'pipeline_invalid',
    'invalid_configuration',
  ]),
  row('GET', '/v1/pipeline/state/:namespace/:id', 'open', {}, pipeline, ['invalid_parameter', 'pipeline_not_found']),
  row(
    'GET',
    '/v1/pipeline/kill/:id',
    'protected',
    {},
    { id: 'string', namespace: 'string', state: 'killing|succeeded|failed|killed', accepted: 'boolean' },
    ['invalid_parameter', 'forbidden', 'pipeline_not_found'],
  ),
  row('POST', '/v2/pipeline/get/template', 'open', { template_path: null }, template, getTemplate),
  row('GET', '/v1/list/namespaces', 'open', {}, { namespaces: ['string'] }, []),
  row('GET', '/v1/list/tasks', 'open', {}, tasks, []),
  row('GET', '/v1/list/tasks/:namespace', 'open', {}, tasks, ofNamespace),
  row('GET', '/v1/list/pods', 'open', {}, pods, []),
  row('GET', '/v1/list/pods/:namespace', 'open', {}, pods, ofNamespace),
  row('GET', '/v1/list/pipelines', 'open', {}, { pipelines: [pipeline] }, []),
  row('GET', '/v1/list/pipelines/:namespace', 'open', {}, { pipelines: [pipeline] }, ofNamespace),
  row('GET', '/v2/task/list/templates', 'open', {}, templates, ['store_unavailable']),
  row('GET', '/v2/pipeline/list/templates', 'open', {}, templates, ['store_unavailable']),
  row('GET', '/v1/delete/job/:namespace/:job', 'protected', {}, deleted('job'), [...remove, 'job_not_found']),
  row('GET', '/v1/delete/cronjob/:namespace/:cronjob', 'protected', {}, deleted('cronjob', { deleted_jobs: ['string'] }), [
    ...remove,
    'cronjob_not_found',
  ]),
  row('GET', '/v1/delete/deployment/:namespace/:deployment', 'protected', {}, deleted('deployment'), [
    ...remove,
    'deployment_not_found',
    'deployment_backs_service',
  ]),
  row('GET', '/v1/delete/service/:namespace/:service', 'protected', {}, deleted('service', { deleted_deployment: 'string' }), [
    ...remove,
    'service_not_found',
  ]),
]

/** Where a value is not of a shape; null: it is. Members must be these, in this order. */
export function misfit(value: unknown, shape: Shape, at = ''): string | null {
  if (typeof shape === 'string') return fits(value, shape) ? null : `${at || '/'} is ${JSON.stringify(value)} and not ${shape}`
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return `${at || '/'} is no list`
    return value.map((part, index) => misfit(part, shape[0] as Shape, `${at}/${index}`)).find((found) => found !== null) ?? null
  }
  if (typeof value !== 'object' || value === null) return `${at || '/'} is no object`
  const names = Object.keys(shape)
  const found = Object.keys(value)
  if (found.join() !== names.join()) return `${at || '/'} has the members ${found} and not ${names}`
  const members = shape as { readonly [member: string]: Shape }
  for (const name of names) {
    const wrong = misfit((value as Record<string, unknown>)[name], members[name] as Shape, `${at}/${name}`)
    if (wrong !== null) return wrong
  }
  return null
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

function fits(value: unknown, shape: string): boolean {
  if (shape.endsWith('?')) return value === null || fits(value, shape.slice(0, -1))
  switch (shape) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isInteger(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'time':
      return typeof value === 'string' && time.test(value)
    case 'true':
      return value === true
    default:
      return typeof value === 'string' && shape.split('|').includes(value)
  }
}
