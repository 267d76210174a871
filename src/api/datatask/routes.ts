import { encodeDeployment, encodeService, encodeDeletedDeployment, encodeDeletedService } from './encode.ts'
import {
  encodeCronItem,
  encodeDeletedCronJob,
  encodeDeletedJob,
  encodeKill,
  encodePipeline,
  encodePodItem,
  encodeTask,
  encodeTaskItem,
  encodeTaskState,
} from './encode.ts'
import { encodeWork } from './encode-work.ts'
import { identifier, killInput, namespaceOnly, sourceInput, templatePath } from './decode.ts'
import type { Values } from './decode.ts'

/** One row of the contract's table (§10). */
export type Route = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly auth: 'protected' | 'open'
  /** Form fields that must be there. */
  readonly required?: readonly string[]
  readonly does: Does
}

/** What answers a route: an operation, or all pages of lists. */
export type Does =
  | {
      readonly kind: 'call'
      readonly operation: string
      readonly input: (values: Values) => Readonly<Record<string, unknown>>
      /** The output is what the operation's schema says: its module is the one place that names it. */
      readonly encode: (output: never) => unknown
      /** How members of the input are called in the route, where that differs. */
      readonly fields?: Readonly<Record<string, string>>
      /** Takes an Idempotency-Key (§4.5). */
      readonly repeatable?: true
    }
  | { readonly kind: 'list'; readonly lists: readonly Listing[] }

type Kind = 'task' | 'pipeline'

/** One member of an answer of lists: all pages of an operation. */
export type Listing = {
  readonly member: string
  readonly operation: string
  readonly input: (values: Values) => Readonly<Record<string, unknown>>
  readonly encode: (item: never) => unknown
}

type Field = 'namespace' | 'name' | 'branch' | 'schedule' | 'configuration' | 'repository' | 'directory'

const starting =
  (operation: string, encode: (output: never) => unknown) =>
  (...form: readonly Field[]): Does => ({ kind: 'call', operation, input: (values) => sourceInput(values, form), encode, repeatable: true })
const deploy = starting('task.deploy', encodeTask)
const run = starting('pipeline.run', encodePipeline)
const listOf = (member: string, operation: string, encode: Listing['encode']): Does => ({
  kind: 'list',
  lists: [{ member, operation, input: namespaceOnly, encode }],
})
const tasksOf = (member: string, type: string, encode: Listing['encode']): Listing => ({
  member,
  operation: 'task.list',
  input: (values) => ({ ...namespaceOnly(values), type }),
  encode,
})
const tasks: Does = {
  kind: 'list',
  lists: [
    tasksOf('jobs', 'job', encodeTaskItem),
    tasksOf('cronJobs', 'cronjob', encodeCronItem),
    tasksOf('deployments', 'deployment', encodeDeployment),
    tasksOf('services', 'service', encodeService),
  ],
}
const pods = listOf('pods', 'pod.list', encodePodItem)
const pipelines = listOf('pipelines', 'pipeline.list', encodePipeline)
const load = (kind: Kind): Does => ({
  kind: 'call',
  operation: 'loading.start',
  input: (values) => ({ ...sourceInput(values, ['branch']), kind }),
  encode: encodeWork,
})
const loadingState = (kind: Kind): Does => ({
  kind: 'call',
  operation: 'loading.get',
  input: (values) => ({ kind, loading: identifier(values, 'work_id') }),
  encode: encodeWork,
  fields: { loading: 'work_id' },
})
const template = (kind: Kind): Does => ({
  kind: 'call',
  operation: 'template.get',
  input: (values) => ({ kind, template_path: templatePath(values) }),
  encode: (output: { template_path: string; template: object }) => output,
})
const templates = (kind: Kind): Does => ({
  kind: 'call',
  operation: 'template.list',
  input: () => ({ kind }),
  encode: ({ items }: { items: readonly string[] }) => ({ template_filenames: items }),
})

/** Every route of the contract, in its order. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/v1/task/deploy/:repository/:directory', auth: 'protected', does: deploy() },
  { method: 'GET', path: '/v1/task/deployas/:repository/:directory/:name', auth: 'protected', does: deploy() },
  { method: 'GET', path: '/v1/task/deployinas/:repository/:directory/:namespace/:name', auth: 'protected', does: deploy() },
  {
    method: 'POST',
    path: '/v1/task/elaborate/deployinas/:repository/:directory/:namespace/:name',
    auth: 'protected',
    does: deploy('branch', 'schedule'),
  },
  {
    method: 'POST',
    path: '/v2/task/elaborate/deploy/:repository/:directory',
    auth: 'protected',
    does: deploy('namespace', 'name', 'branch', 'schedule'),
  },
  { method: 'POST', path: '/v2/task/load/configuration/from-git/:repository/:directory', auth: 'open', does: load('task') },
  { method: 'GET', path: '/v2/task/get/configuration-loading-state/:work_id', auth: 'open', does: loadingState('task') },
  {
    method: 'POST',
    path: '/v2/task/deploy/with-configuration',
    auth: 'protected',
    required: ['namespace', 'configuration'],
    does: deploy('namespace', 'configuration', 'repository', 'directory', 'branch'),
  },
  {
    method: 'GET',
    path: '/v1/task/state/:id',
    auth: 'open',
    does: {
      kind: 'call',
      operation: 'task.get',
      input: (values) => ({ task: identifier(values, 'id') }),
      encode: encodeTaskState,
      fields: { task: 'id' },
    },
  },
  { method: 'POST', path: '/v2/task/get/template', auth: 'open', required: ['template_path'], does: template('task') },
  { method: 'GET', path: '/v1/pipeline/runas/:repository/:directory/:name', auth: 'protected', does: run() },
  { method: 'GET', path: '/v1/pipeline/runinas/:repository/:directory/:namespace/:name', auth: 'protected', does: run() },
  { method: 'POST', path: '/v1/pipeline/elaborate/runinas/:repository/:directory/:namespace/:name', auth: 'protected', does: run('branch') },
  { method: 'POST', path: '/v2/pipeline/elaborate/run/:repository/:directory/:name', auth: 'protected', does: run('namespace', 'branch') },
  { method: 'POST', path: '/v2/pipeline/load/configuration/from-git/:repository/:directory', auth: 'open', does: load('pipeline') },
  { method: 'GET', path: '/v2/pipeline/get/configuration-loading-state/:work_id', auth: 'open', does: loadingState('pipeline') },
  {
    method: 'POST',
    path: '/v2/pipeline/run/with-configuration',
    auth: 'protected',
    required: ['namespace', 'configuration'],
    does: run('namespace', 'configuration', 'branch'),
  },
  {
    method: 'GET',
    path: '/v1/pipeline/state/:namespace/:id',
    auth: 'open',
    does: {
      kind: 'call',
      operation: 'pipeline.get',
      input: (values) => ({ pipeline: identifier(values, 'id'), namespace: values.parameters.namespace }),
      encode: encodePipeline,
      fields: { pipeline: 'id' },
    },
  },
  {
    method: 'GET',
    path: '/v1/pipeline/kill/:id',
    auth: 'protected',
    does: { kind: 'call', operation: 'pipeline.kill', input: killInput, encode: encodeKill, fields: { pipeline: 'id' } },
  },
  { method: 'POST', path: '/v2/pipeline/get/template', auth: 'open', required: ['template_path'], does: template('pipeline') },
  {
    method: 'GET',
    path: '/v1/list/namespaces',
    auth: 'open',
    does: listOf('namespaces', 'namespace.list', (item: { name: string }) => item.name),
  },
  { method: 'GET', path: '/v1/list/tasks', auth: 'open', does: tasks },
  { method: 'GET', path: '/v1/list/tasks/:namespace', auth: 'open', does: tasks },
  { method: 'GET', path: '/v1/list/pods', auth: 'open', does: pods },
  { method: 'GET', path: '/v1/list/pods/:namespace', auth: 'open', does: pods },
  { method: 'GET', path: '/v1/list/pipelines', auth: 'open', does: pipelines },
  { method: 'GET', path: '/v1/list/pipelines/:namespace', auth: 'open', does: pipelines },
  { method: 'GET', path: '/v2/task/list/templates', auth: 'open', does: templates('task') },
  { method: 'GET', path: '/v2/pipeline/list/templates', auth: 'open', does: templates('pipeline') },
  {
    method: 'GET',
    path: '/v1/delete/job/:namespace/:job',
    auth: 'protected',
    does: {
      kind: 'call',
      operation: 'task.delete',
      input: ({ parameters }) => ({ namespace: parameters.namespace, name: parameters.job }),
      encode: encodeDeletedJob,
      fields: { name: 'job' },
    },
  },
  {
    method: 'GET',
    path: '/v1/delete/cronjob/:namespace/:cronjob',
    auth: 'protected',
    does: {
      kind: 'call',
      operation: 'task.delete',
      input: ({ parameters }) => ({ namespace: parameters.namespace, name: parameters.cronjob, type: 'cronjob' }),
      encode: encodeDeletedCronJob,
      fields: { name: 'cronjob' },
    },
  },
  {
    method: 'GET',
    path: '/v1/delete/deployment/:namespace/:deployment',
    auth: 'protected',
    does: {
      kind: 'call',
      operation: 'task.delete',
      input: ({ parameters }) => ({ namespace: parameters.namespace, name: parameters.deployment, type: 'deployment' }),
      encode: encodeDeletedDeployment,
      fields: { name: 'deployment' },
    },
  },
  {
    method: 'GET',
    path: '/v1/delete/service/:namespace/:service',
    auth: 'protected',
    does: {
      kind: 'call',
      operation: 'task.delete',
      input: ({ parameters }) => ({ namespace: parameters.namespace, name: parameters.service, type: 'service' }),
      encode: encodeDeletedService,
      fields: { name: 'service' },
    },
  },
]
