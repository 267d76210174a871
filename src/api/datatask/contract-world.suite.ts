import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { InjectOptions } from 'fastify'
import type { Answer, DeployLab, LabOptions, Labs, Person } from './deploy-lab.suite.ts'
import type { Row } from './contract-table.suite.ts'

// A world in which every route of the table succeeds, and what it takes to make each fail.

const cmd = ['/bin/true']
const code = { 'code/run.sh': 'true\n' }
const grace = { 'termination-grace-seconds': 0 }

/** Manifests by the directory that they are in. */
export const manifests = {
  fetch: { type: 'job', name: 'fetch', cmd },
  other: { type: 'job', name: 'other', cmd },
  nightly: { type: 'job', name: 'nightly', cmd, schedule: '@yearly' },
  app: { type: 'deployment', name: 'pair', cmd, ...grace },
  web: { type: 'service', name: 'pair', cmd, 'container-port': 8080, ...grace },
  image: { type: 'job', name: 'image', 'image-destination': 'registry.test/image:1' },
  bad: { type: 'jobs', cmd },
}
export const pipelines = {
  report: { name: 'report', tasks: [{ name: 'only', namespacetask: 'weather/fetch' }] },
  summary: { name: 'summary', tasks: [{ name: 'only', namespacetask: 'weather/other' }] },
  bad_report: { name: 'bad', tasks: [] },
}

export type World = { readonly lab: DeployLab; readonly ann: Person; readonly bob: Person }

/** A lab whose work never ends by itself; `weather` with all of these, `bare` without a commit, and a namespace of each kind of reader. */
export async function openWorld({ open }: Labs, options: LabOptions = {}): Promise<World> {
  const lab = await open({ knobs: { behaviour: 'hang' }, ...options })
  const ann = await lab.person('ann')
  const bob = await lab.person('bob')
  const files = {
    ...Object.fromEntries(Object.entries(manifests).map(([name, manifest]) => [`${name}/manifest.json`, manifest])),
    ...Object.fromEntries(Object.entries(pipelines).map(([name, pipeline]) => [`${name}/pipeline.json`, pipeline])),
    'fetch/code/run.sh': code['code/run.sh'],
    'empty/readme.txt': 'nothing here',
  }
  const { id } = await lab.repository('weather', files, { owner: ann.principal })
  await lab.push(id, { ...files, 'fetch/manifest.json': { ...manifests.fetch, labels: 'from:dev' } }, 'dev')
  await lab.as(ann.principal, 'repository.create', { path: 'bare' })
  for (const name of ['weather', 'space']) await lab.system('grant.set', { to: 'user:ann', on: `namespace:${name}`, level: 'admin' })
  for (const [path, text] of [
    ['task/good.json', '{"type":"job"}'],
    ['task/bad.json', '[]'],
    ['pipeline/good.json', '{"name":"a"}'],
    ['pipeline/bad.json', '{'],
  ] as const) {
    const file = join(lab.folder, 'data', 'templates', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  return { lab, ann, bob }
}

/** Everything that a request says. What is undefined is left out. */
export type Asked = {
  readonly who: Person | null
  readonly method: string
  readonly prefix: string
  readonly parameters: Readonly<Record<string, string>>
  readonly query: string
  readonly fields: Readonly<Record<string, string | object>>
  readonly headers: Readonly<Record<string, string>>
  /** Sent as it is in place of the fields. */
  readonly body?: { readonly type: string; readonly bytes: string | Buffer }
  readonly remoteAddress?: string
}

export type Change = Partial<Omit<Asked, 'parameters' | 'fields'>> & {
  readonly parameters?: Readonly<Record<string, string>>
  readonly fields?: Readonly<Record<string, string | object>>
}

let count = 0
/** A name that nothing has yet. */
export const newName = () => `n${++count}`

export const isPipeline = ({ path }: Row) => path.includes('/pipeline/')
export const takes = ({ path, fields }: Row, name: string) => path.split('/').includes(`:${name}`) || Object.hasOwn(fields, name)
/** Deploys and runs: what an Idempotency-Key is good for. */
export const acts = ({ errors }: Row) => errors.includes('idempotency_key_reuse')

/** The request that a route answers with 200, once what it speaks of is there. */
export async function fittingRequest({ lab, ann }: World, row: Row): Promise<Asked> {
  const directory = isPipeline(row) ? 'report' : 'fetch'
  const base = { who: row.auth === 'protected' ? ann : null, method: row.method, prefix: '', query: '', fields: {}, headers: {} }
  const parameters: Record<string, string> = { repository: 'weather', directory, namespace: 'space', name: newName() }
  if (row.path.endsWith('/with-configuration')) {
    const configuration = isPipeline(row) ? { ...pipelines.report, name: newName() } : { ...manifests.fetch, name: newName() }
    return { ...base, parameters: {}, fields: { namespace: 'space', configuration: JSON.stringify(configuration) } }
  }
  if (row.path.endsWith('/get/template')) return { ...base, parameters: {}, fields: { template_path: 'good.json' } }
  if (takes(row, 'work_id')) {
    const answer = await lab.post(ann, `/v2/${isPipeline(row) ? 'pipeline' : 'task'}/load/configuration/from-git/weather/${directory}`)
    parameters.work_id = String(answer.json.work_id)
  }
  if (takes(row, 'id')) {
    const operation = isPipeline(row) ? 'pipeline.run' : 'task.deploy'
    const input = { repository: 'weather', directory, namespace: 'space', name: newName() }
    parameters.id = (await lab.as<{ id: string }>(ann.principal, operation, input)).id
  }
  const [, kind] = /^\/v1\/delete\/(\w+)\//.exec(row.path) ?? []
  if (kind !== undefined) {
    parameters[kind] = newName()
    await lab.as(ann.principal, 'task.deploy', {
      repository: 'weather',
      directory: { job: 'fetch', cronjob: 'nightly', deployment: 'app', service: 'web' }[kind],
      namespace: 'space',
      name: parameters[kind],
    })
  }
  return { ...base, parameters }
}

export function changed(asked: Asked, change: Change): Asked {
  return { ...asked, ...change, parameters: { ...asked.parameters, ...change.parameters }, fields: { ...asked.fields, ...change.fields } }
}

/** Sends a request to a route. Parameters are encoded, unless they begin with `%`. */
export function send({ lab }: World, row: Row, asked: Asked): Promise<Answer> {
  const path = row.path.replace(/:(\w+)/g, (_, name: string) => encoded(asked.parameters[name] ?? name))
  const form = asked.body ?? formOf(asked.fields)
  const headers = { ...(row.method === 'POST' && form && { 'content-type': form.type }), ...asked.headers }
  const more: InjectOptions = { headers, ...(row.method === 'POST' && form && { payload: form.bytes }) }
  const from = asked.remoteAddress ?? somewhere()
  return lab.request(asked.who, asked.method, `${asked.prefix}${path}${asked.query}`, { ...more, remoteAddress: from })
}

const encoded = (text: string) => (text.startsWith('%') ? text : encodeURIComponent(text))

function formOf(fields: Asked['fields']): { type: string; bytes: string } | null {
  const pairs = Object.entries(fields)
  if (pairs.length === 0) return null
  const text = pairs.map(([name, value]): [string, string] => [name, typeof value === 'string' ? value : JSON.stringify(value)])
  return { type: 'application/x-www-form-urlencoded', bytes: new URLSearchParams(text).toString() }
}

let address = 0
/** Another address each time, so that the count of anonymous requests plays no part. */
export const somewhere = () => `10.${(++address >> 8) & 255}.${address & 255}.9`

/** Ends what an act made, so that the next one finds room. */
export async function undo({ lab, ann }: World, { json }: Answer): Promise<void> {
  const { id, namespace, name, type } = json
  if (typeof type === 'string') await lab.as(ann.principal, 'task.delete', { namespace, name, type: type === 'service' ? 'service' : type })
  else if (typeof json.original === 'string') {
    await lab.as(ann.principal, 'pipeline.kill', { pipeline: id, cleanup: false })
    await lab.until(`/v1/pipeline/state/${namespace}/${id}`, ['killed'])
  }
}
