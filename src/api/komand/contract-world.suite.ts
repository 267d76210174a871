import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { askingDrawing, failingDrawing } from './komand-lab.suite.ts'
import type { KomandLab } from './komand-lab.suite.ts'

// What each route of the contract needs to succeed, and what makes it fail.

/** A line of the contract's table. */
export type Row = {
  readonly method: string
  readonly path: string
  readonly auth: 'token' | 'optional' | 'none'
  readonly permission?: string
  readonly body: boolean
  readonly success: unknown
  readonly errors: readonly (readonly [number, string])[]
}

const contract = JSON.parse(readFileSync(join(import.meta.dirname, 'contract-routes.json'), 'utf8')) as {
  readonly shapes: Readonly<Record<string, unknown>>
  readonly routes: readonly Row[]
}
export const { routes: table, shapes } = contract

export type Fitting = { readonly parameters: Readonly<Record<string, string>>; readonly body?: unknown; readonly query?: string }
type Make = (lab: KomandLab) => Promise<Fitting>

const unknownId = '0b5d1c2e-6f5d-4a43-9a53-0d3f6ef6a0ff'
const onWorkflow =
  (options: { active?: boolean } = {}, body?: unknown): Make =>
  async (lab) => ({ parameters: { workflow_uid: await lab.workflow(lab.document(), options) }, ...(body !== undefined && { body }) })
const onJob =
  (status: 'succeeded' | 'failed' | 'waiting', body?: unknown): Make =>
  async (lab) => {
    const drawing = status === 'failed' ? failingDrawing : status === 'waiting' ? askingDrawing : {}
    const job_id = await lab.job(await lab.workflow(lab.document(lab.newName(), drawing)), status)
    return { parameters: { job_id, step_uid: 'ask' }, ...(body !== undefined && { body }) }
  }
const connectionBody = (lab: KomandLab) => ({
  name: lab.newName(),
  plugin_vendor: 'capstan',
  plugin_name: 'mail',
  plugin_version: '1.0.0',
  parameters: { host: 'mail.lab.test', from: 'a@lab.test', credentials: { username: 'ann', password: 'hidden-word' } },
})
const onConnection =
  (body?: unknown): Make =>
  async (lab) => {
    const { connection_id } = await lab.ok('POST', '/v2/connections', connectionBody(lab))
    return { parameters: { connection_id: String(connection_id) }, ...(body !== undefined && { body }) }
  }
const userBody = (lab: KomandLab) => ({ user_name: lab.newName(), user_secret: 'a phrase that is long', first_name: 'Bo', role_name: 'analyst' })
const onUser =
  (body?: unknown): Make =>
  async (lab) => {
    const { user_id } = await lab.ok('POST', '/v2/users', userBody(lab))
    return { parameters: { user_id: String(user_id) }, ...(body !== undefined && { body }) }
  }
const triggerBody = (lab: KomandLab) => ({
  name: lab.newName(),
  type: 'api_trigger',
  api_schema: { type: 'object', properties: { text: { type: 'string' } } },
  api_variables: [{ name: 'text', type: 'string' }],
})
const onTrigger =
  (body?: unknown): Make =>
  async (lab) => ({ parameters: { id: (await lab.ok('POST', '/v2/triggers', triggerBody(lab))).id }, ...(body !== undefined && { body }) })
const onArtifact =
  (body?: unknown): Make =>
  async (lab) => {
    const { id } = await lab.ok('POST', '/v2/artifacts', { name: lab.newName() })
    const entity = await lab.ok('POST', `/v2/artifacts/${id}/entities`, { data: { value: 'x' } })
    return { parameters: { id, entity_id: entity.id }, ...(body !== undefined && { body }) }
  }
const plugin = { vendor: 'example', name: 'host_facts', version: '1.0.0' }
const onPlugin: Make = async (lab) => {
  await lab.as(lab.root, 'POST', '/v2/plugins', { body: { path: 'host_facts', runtime: 'process' } })
  return { parameters: plugin }
}
const file = async (lab: KomandLab) => lab.ok('GET', `/v2/workflows/${await lab.workflow()}/export`)

const bare =
  (body?: (lab: KomandLab) => unknown): Make =>
  async (lab) => ({ parameters: {}, ...(body && { body: await body(lab) }) })

/** A request that each route answers with 200. */
export const fitting: Readonly<Record<string, Make>> = {
  'POST /v2/sessions': bare((lab) => ({ user_name: lab.root.name, user_secret: lab.root.password })),
  'GET /v2/sessions': bare(),
  'DELETE /v2/sessions': bare(),
  'GET /v2/workflows': bare(),
  'POST /v2/workflows': bare((lab) => lab.document()),
  'POST /v2/workflows/import': bare(file),
  'GET /v2/workflows/:workflow_uid': onWorkflow(),
  'PUT /v2/workflows/:workflow_uid': onWorkflow({}, { description: 'changed' }),
  'DELETE /v2/workflows/:workflow_uid': onWorkflow(),
  'POST /v2/workflows/:workflow_uid/activate': onWorkflow({ active: false }),
  'POST /v2/workflows/:workflow_uid/deactivate': onWorkflow(),
  'GET /v2/workflows/:workflow_uid/versions': onWorkflow(),
  'GET /v2/workflows/:workflow_uid/versions/:version_uid': async (lab) => {
    const workflow_uid = await lab.workflow()
    return { parameters: { workflow_uid, version_uid: (await lab.ok('GET', `/v2/workflows/${workflow_uid}`)).active_version_uid } }
  },
  'GET /v2/workflows/:workflow_uid/export': onWorkflow(),
  'POST /v2/workflows/:workflow_uid/events': onWorkflow({}, { text: 'hello' }),
  'POST /v2/workflows/:workflow_uid/test': onWorkflow({ active: false }, { text: 'hello' }),
  'POST /v2/trigger/:workflow_uid_or_trigger_id/events': async (lab) => ({
    parameters: { workflow_uid_or_trigger_id: await lab.workflow() },
    body: { text: 'hello' },
  }),
  'GET /v2/jobs': bare(),
  'GET /v2/jobs/:job_id': onJob('failed'),
  'PUT /v2/jobs/:job_id': onJob('succeeded', { investigation_id: 'INC-7', owned_by_id: 2 }),
  'GET /v2/jobs/:job_id/steps': onJob('failed'),
  'POST /v2/jobs/:job_id/rerun': onJob('failed', { from: 'failed_step' }),
  'POST /v2/jobs/:job_id/cancel': onJob('waiting'),
  'POST /v2/jobs/:job_id/events/cancel': onJob('waiting'),
  'POST /v2/jobs/:job_id/dismiss': onJob('failed'),
  'POST /v2/jobs/:job_id/steps/:step_uid/decision': onJob('waiting', { path_uid: 'ask>yes' }),
  'GET /v2/jobs/:job_id/artifacts': onJob('succeeded'),
  'GET /v2/connections': bare(),
  'POST /v2/connections': bare(connectionBody),
  'GET /v2/connections/:connection_id': onConnection(),
  'PUT /v2/connections/:connection_id': async (lab) => onConnection({ name: lab.newName() })(lab),
  'DELETE /v2/connections/:connection_id': onConnection(),
  'POST /v2/connections/:connection_id/test': onConnection(),
  'GET /v2/users': bare(),
  'POST /v2/users': bare(userBody),
  'GET /v2/users/:user_id': onUser(),
  'PUT /v2/users/:user_id': onUser({ first_name: 'Zoe', inactive: true }),
  'DELETE /v2/users/:user_id': onUser(),
  'GET /v2/roles': bare(),
  'GET /v2/plugins': bare(),
  'POST /v2/plugins': async (lab) => {
    await lab.as(lab.root, 'DELETE', '/v2/plugins/example/host_facts/1.0.0')
    return { parameters: {}, body: { path: 'host_facts', runtime: 'process' } }
  },
  'GET /v2/plugins/:vendor/:name/:version': onPlugin,
  'DELETE /v2/plugins/:vendor/:name/:version': onPlugin,
  'GET /v2/triggers': bare(),
  'POST /v2/triggers': bare(triggerBody),
  'GET /v2/triggers/:id': onTrigger(),
  'PUT /v2/triggers/:id': onTrigger({ name: 'renamed' }),
  'DELETE /v2/triggers/:id': onTrigger(),
  'POST /v2/dispatcher/:trigger_id/:nonce': async (lab) => {
    await lab.as(lab.root, 'POST', '/v2/plugins', { body: { path: 'units', runtime: 'process' } })
    const body = {
      name: lab.newName(),
      type: 'plugin_trigger',
      plugin_vendor: 'example',
      plugin_name: 'units',
      plugin_version: '1.0.0',
      trigger_name: 'count',
      input: { to: 1 },
    }
    const { id } = await lab.ok('POST', '/v2/triggers', body)
    const { store, secretBox } = lab.app.services
    const sealed = (await store.reader.workflowTriggers.byId(id))?.sealed ?? ''
    const event = { version: 'v1', type: 'trigger_event', body: { meta: {}, output: { number: 1 }, log: '' } }
    return { parameters: { trigger_id: id, nonce: secretBox.open(sealed, `trigger:${id}`).reveal() }, body: event }
  },
  'GET /v2/artifacts': bare(),
  'POST /v2/artifacts': bare((lab) => ({ name: lab.newName(), description: 'd', schema: { type: 'object' }, tags: ['t'] })),
  'GET /v2/artifacts/:id': onArtifact(),
  'PUT /v2/artifacts/:id': onArtifact({ description: 'other', tags: ['u'] }),
  'DELETE /v2/artifacts/:id': onArtifact(),
  'GET /v2/artifacts/:id/entities': onArtifact(),
  'POST /v2/artifacts/:id/entities': onArtifact({ data: ['any'] }),
  'DELETE /v2/artifacts/:id/entities/:entity_id': onArtifact(),
}

/** A request that conflicts with what is there: 409. */
export const conflicting: Readonly<Record<string, Make>> = {
  'POST /v2/workflows': async (lab) => {
    const drawing = lab.document()
    await lab.workflow(drawing)
    return { parameters: {}, body: drawing }
  },
  'PUT /v2/workflows/:workflow_uid': async (lab) => {
    const drawing = lab.document()
    await lab.workflow(drawing)
    return { parameters: { workflow_uid: await lab.workflow() }, body: { name: drawing.name } }
  },
  'POST /v2/workflows/:workflow_uid/activate': onWorkflow(),
  'POST /v2/workflows/:workflow_uid/deactivate': onWorkflow({ active: false }),
  'POST /v2/workflows/:workflow_uid/events': onWorkflow({ active: false }),
  'POST /v2/trigger/:workflow_uid_or_trigger_id/events': async (lab) => ({
    parameters: { workflow_uid_or_trigger_id: await lab.workflow(lab.document(), { active: false }) },
  }),
  'POST /v2/jobs/:job_id/rerun': onJob('waiting'),
  'POST /v2/jobs/:job_id/cancel': onJob('succeeded'),
  'POST /v2/jobs/:job_id/events/cancel': onJob('succeeded'),
  'POST /v2/jobs/:job_id/dismiss': onJob('succeeded'),
  'POST /v2/jobs/:job_id/steps/:step_uid/decision': onJob('succeeded', { path_uid: 'ask>yes' }),
  'POST /v2/connections': async (lab) => {
    const body = connectionBody(lab)
    await lab.ok('POST', '/v2/connections', body)
    return { parameters: {}, body }
  },
  'PUT /v2/connections/:connection_id': async (lab) => {
    const { name } = await lab.ok('POST', '/v2/connections', connectionBody(lab))
    return onConnection({ name })(lab)
  },
  'POST /v2/users': async (lab) => ({ parameters: {}, body: { ...userBody(lab), user_name: lab.ann.name } }),
  'PUT /v2/users/:user_id': onUser({ user_name: 'ann' }),
  'DELETE /v2/users/:user_id': async (lab) => ({ parameters: { user_id: String(lab.root.serial) } }),
  'POST /v2/plugins': async (lab) => ({ ...(await onPlugin(lab)), parameters: {}, body: { path: 'host_facts', runtime: 'process' } }),
  'DELETE /v2/plugins/:vendor/:name/:version': async (lab) => {
    await onPlugin(lab)
    const action = {
      id: 'look',
      type: 'action',
      parameters: { step_id: 'look', plugin_name: 'host_facts', plugin_vendor: 'example', plugin_version: '1.0.0', input: {} },
    }
    await lab.workflow(lab.document(lab.newName(), { steps: [{ id: 'start', type: 'api_trigger' }, action], paths: ['start>look'] }))
    return { parameters: plugin }
  },
  'DELETE /v2/triggers/:id': async (lab) => {
    const { id } = await lab.ok('POST', '/v2/triggers', triggerBody(lab))
    const steps = [{ id: 'start', type: 'api_trigger', parameters: { trigger_config_id: id } }]
    await lab.workflow(lab.document(lab.newName(), { steps, paths: ['start>'] }))
    return { parameters: { id } }
  },
  'POST /v2/artifacts': async (lab) => {
    const body = { name: lab.newName() }
    await lab.ok('POST', '/v2/artifacts', body)
    return { parameters: {}, body }
  },
  'PUT /v2/artifacts/:id': async (lab) => {
    const { name } = await lab.ok('POST', '/v2/artifacts', { name: lab.newName() })
    return onArtifact({ name })(lab)
  },
}

/** The address of nothing, for each parameter. */
export const nothing: Readonly<Record<string, string>> = {
  workflow_uid: unknownId,
  version_uid: unknownId,
  workflow_uid_or_trigger_id: unknownId,
  job_id: unknownId,
  step_uid: 'ask',
  id: unknownId,
  trigger_id: unknownId,
  entity_id: unknownId,
  nonce: 'nonce',
  connection_id: '999999',
  user_id: '999999',
  vendor: 'nobody',
  name: 'nothing',
  version: '9.9.9',
}

/** What does not fit a shape of the contract; null when all does. */
export function misfit(value: unknown, shape: unknown, at = ''): string | null {
  if (typeof shape === 'string') {
    const named = shape.startsWith('$') ? shapes[shape.slice(1)] : undefined
    return named === undefined ? misfitText(value, shape, at) : misfit(value, named, at)
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return `${at} is no array`
    return value.map((item, index) => misfit(item, shape[0], `${at}[${index}]`)).find((one) => one !== null) ?? null
  }
  if (shape === null || typeof shape !== 'object') return null
  if (typeof value !== 'object' || value === null) return `${at} is no object`
  const known = Object.entries(shape)
  const open = known.some(([name]) => name.startsWith('<'))
  for (const [name, inner] of known) {
    if (name.startsWith('<')) continue
    if (!Object.hasOwn(value, name)) {
      if (typeof inner === 'string' && inner.includes('absent')) continue
      return `${at}.${name} is missing`
    }
    const found = misfit((value as Record<string, unknown>)[name], inner, `${at}.${name}`)
    if (found) return found
  }
  const strange = Object.keys(value).find((name) => !open && !Object.hasOwn(shape, name))
  return strange === undefined ? null : `${at}.${strange} is not in the contract`
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

function misfitText(value: unknown, shape: string, at: string): string | null {
  const wrong = (fits: boolean) => (fits ? null : `${at} is ${JSON.stringify(value)?.slice(0, 80)} and no ${shape}`)
  if (shape.includes('or null') && value === null) return null
  // Steps and paths keep the ids of their file, whatever they look like.
  if (/(path|step)_uids?$|step_uid$/.test(at.replace(/\[\d+\]$/, ''))) return wrong(typeof value === 'string')
  if (shape.startsWith('uuid')) return wrong(typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value))
  if (shape.startsWith('time') || shape === 'RFC 3339 UTC, seconds' || shape.startsWith('RFC 3339 UTC, seconds;'))
    return wrong(time.test(String(value)))
  if (shape.startsWith('RFC 3339')) return wrong(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(String(value)))
  if (shape.startsWith('0001-')) return wrong(value === shape)
  if (shape.startsWith('string')) return wrong(typeof value === 'string')
  if (shape.startsWith('integer')) return wrong(Number.isInteger(value))
  if (shape.startsWith('number')) return wrong(typeof value === 'number')
  if (shape.startsWith('boolean')) return wrong(typeof value === 'boolean')
  if (shape.startsWith('object')) return wrong(typeof value === 'object' && value !== null && !Array.isArray(value))
  if (shape.startsWith('array')) return wrong(Array.isArray(value))
  if (/^[a-z_]+(\|[a-z_]+)+$/.test(shape)) return wrong(shape.split('|').includes(String(value)))
  return null
}

/** The path of a row with its parameters filled in. */
export function addressOf(row: Row, parameters: Readonly<Record<string, string>>, query = ''): string {
  return row.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(parameters[name] ?? nothing[name] ?? name)) + query
}
