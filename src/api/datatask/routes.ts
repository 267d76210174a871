import { encodeDeletedJob, encodeKill, encodePipeline, encodePodItem, encodeTask, encodeTaskItem, encodeTaskState } from './encode.ts'
import { deployInput, identifier, killInput, namespaceOnly, runInput } from './decode.ts'
import type { Values } from './decode.ts'

/** One row of the contract's table (§10). */
export type Route = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly auth: 'protected' | 'open'
  /** Form fields that must be there. Any others are taken as they come. */
  readonly required?: readonly string[]
  readonly does: Does
}

/** What answers a route: an operation, all pages of a list, or an honest word that it is not built. */
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
  | {
      readonly kind: 'list'
      readonly operation: string
      readonly input: (values: Values) => Readonly<Record<string, unknown>>
      readonly member: string
      readonly encode: (item: never) => unknown
      /** Members of the answer that are always empty here. */
      readonly empty?: readonly string[]
    }
  | { readonly kind: 'not_supported'; readonly what: string }

const deploy = { kind: 'call', operation: 'task.deploy', input: deployInput, encode: encodeTask, repeatable: true } as const
const run = { kind: 'call', operation: 'pipeline.run', input: runInput, encode: encodePipeline, repeatable: true } as const
const tasks = {
  kind: 'list',
  operation: 'task.list',
  input: namespaceOnly,
  member: 'jobs',
  encode: encodeTaskItem,
  empty: ['cronJobs', 'deployments', 'services'],
} as const
const pods = { kind: 'list', operation: 'pod.list', input: namespaceOnly, member: 'pods', encode: encodePodItem } as const
const pipelines = { kind: 'list', operation: 'pipeline.list', input: namespaceOnly, member: 'pipelines', encode: encodePipeline } as const
const missing = (what: string) => ({ kind: 'not_supported', what }) as const

/** Every route of the contract, in its order. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/v1/task/deploy/:repository/:directory', auth: 'protected', does: deploy },
  { method: 'GET', path: '/v1/task/deployas/:repository/:directory/:name', auth: 'protected', does: deploy },
  { method: 'GET', path: '/v1/task/deployinas/:repository/:directory/:namespace/:name', auth: 'protected', does: deploy },
  { method: 'POST', path: '/v1/task/elaborate/deployinas/:repository/:directory/:namespace/:name', auth: 'protected', does: deploy },
  { method: 'POST', path: '/v2/task/elaborate/deploy/:repository/:directory', auth: 'protected', does: deploy },
  { method: 'POST', path: '/v2/task/load/configuration/from-git/:repository/:directory', auth: 'open', does: missing('Loading a configuration') },
  { method: 'GET', path: '/v2/task/get/configuration-loading-state/:work_id', auth: 'open', does: missing('Loading a configuration') },
  { method: 'POST', path: '/v2/task/deploy/with-configuration', auth: 'protected', required: ['namespace', 'configuration'], does: deploy },
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
  { method: 'POST', path: '/v2/task/get/template', auth: 'open', does: missing('Reading a template') },
  { method: 'GET', path: '/v1/pipeline/runas/:repository/:directory/:name', auth: 'protected', does: run },
  { method: 'GET', path: '/v1/pipeline/runinas/:repository/:directory/:namespace/:name', auth: 'protected', does: run },
  { method: 'POST', path: '/v1/pipeline/elaborate/runinas/:repository/:directory/:namespace/:name', auth: 'protected', does: run },
  { method: 'POST', path: '/v2/pipeline/elaborate/run/:repository/:directory/:name', auth: 'protected', does: run },
  { method: 'POST', path: '/v2/pipeline/load/configuration/from-git/:repository/:directory', auth: 'open', does: missing('Loading a configuration') },
  { method: 'GET', path: '/v2/pipeline/get/configuration-loading-state/:work_id', auth: 'open', does: missing('Loading a configuration') },
  { method: 'POST', path: '/v2/pipeline/run/with-configuration', auth: 'protected', required: ['namespace', 'configuration'], does: run },
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
  { method: 'POST', path: '/v2/pipeline/get/template', auth: 'open', does: missing('Reading a template') },
  {
    method: 'GET',
    path: '/v1/list/namespaces',
    auth: 'open',
    does: { kind: 'list', operation: 'namespace.list', input: namespaceOnly, member: 'namespaces', encode: (item: { name: string }) => item.name },
  },
  { method: 'GET', path: '/v1/list/tasks', auth: 'open', does: tasks },
  { method: 'GET', path: '/v1/list/tasks/:namespace', auth: 'open', does: tasks },
  { method: 'GET', path: '/v1/list/pods', auth: 'open', does: pods },
  { method: 'GET', path: '/v1/list/pods/:namespace', auth: 'open', does: pods },
  { method: 'GET', path: '/v1/list/pipelines', auth: 'open', does: pipelines },
  { method: 'GET', path: '/v1/list/pipelines/:namespace', auth: 'open', does: pipelines },
  { method: 'GET', path: '/v2/task/list/templates', auth: 'open', does: missing('Listing templates') },
  { method: 'GET', path: '/v2/pipeline/list/templates', auth: 'open', does: missing('Listing templates') },
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
  { method: 'GET', path: '/v1/delete/cronjob/:namespace/:cronjob', auth: 'protected', does: missing('Deleting a cron job') },
  { method: 'GET', path: '/v1/delete/deployment/:namespace/:deployment', auth: 'protected', does: missing('Deleting a deployment') },
  { method: 'GET', path: '/v1/delete/service/:namespace/:service', auth: 'protected', does: missing('Deleting a service') },
]
