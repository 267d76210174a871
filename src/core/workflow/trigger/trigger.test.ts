import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { movedClock } from '../../../../test/support/clock.ts'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { anonymous } from '../../identity/principal.ts'
import { systemClock } from '../../kernel/clock.ts'
import { invoke } from '../../operation/invoke.ts'
import { Scheduler } from '../../run/schedule.ts'
import { artifact, documentOf } from '../job/workflow.suite.ts'
import { TriggerDispatch } from './dispatch.ts'
import { queueEvent } from './queue.ts'
import { triggerSource } from './times.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'

vi.setConfig({ testTimeout: 60_000 })

let app: TestApp
let ann: Person
beforeAll(async () => {
  app = await openApp()
  ann = await app.person('ann')
  await app.system('grant.set', { to: 'user:ann', on: 'system:system', level: 'none', extras: ['workflow.modify', 'repository.create'] })
  await ann.ok('repository.create', { path: 'lab', default_branch: 'main' })
  await commit('first')
})
afterAll(() => app.close())

let count = 0

const commit = (text: string, branch = 'main', who: Pick<Person, 'ok'> = ann) =>
  who.ok('repository.commit-files', { repository: 'lab', branch, message: text, files: [{ path: `${text}.txt`, text }] })

/** A workflow of somebody, active and bound to a new trigger. */
async function bound(trigger: JsonObject, who: Pick<Person, 'ok'> = ann) {
  const made = await who.ok('trigger.create', { name: `trigger ${++count}`, ...trigger })
  return { trigger: made.id as string, secret: made.secret as string | null, workflow: await bind(made.id, who) }
}

async function bind(trigger: string, who: Pick<Person, 'ok'> = ann, steps: JsonObject[] = [artifact('Report', '{{$job.[$start_message]}}')]) {
  const start = { id: 'start', type: 'api_trigger', parameters: { trigger_config_id: trigger } }
  const ids = ['start', ...steps.map(({ id }) => String(id)), '']
  const paths = ids.slice(1).map((id, index) => `${ids[index]}>${id}`)
  const { id } = await who.ok('workflow.create', { document: documentOf({ name: `bound ${++count}`, steps: [start, ...steps], paths }) })
  await who.ok('workflow.activate', { workflow: id })
  return id as string
}

const jobsOf = async (workflow: string) => {
  const page = await app.services.store.reader.runs.page({ kinds: ['workflow'], resourceId: workflow }, null, 'newest', { limit: 100, after: null })
  return page.items
}
const messageOf = (job: { input: unknown } | undefined) => (job?.input as { message: JsonObject } | undefined)?.message
const eventsOf = async (trigger: string) => (await app.system('trigger.list-events', { trigger })).items as { state: string; error: string | null }[]
const settled = (trigger: string, number: number) =>
  until(`${number} events of the trigger have come to an end`, async () => {
    const events = await eventsOf(trigger)
    return events.length >= number && events.every(({ state }) => state !== 'waiting') ? events : null
  })

describe('events of our own', () => {
  test('a push to a branch that fits starts one job, as the owner of the workflow', async () => {
    const ben = await app.person('ben')
    await ann.ok('grant.set', { to: 'user:ben', on: 'repository:lab', level: 'write' })
    const { trigger, workflow } = await bound({ type: 'push', repository: 'lab', branches: ['main', 'release/*'] })
    const other = await bound({ type: 'push', repository: 'lab', branches: ['none'] })
    await commit('two', 'main', ben)
    await settled(trigger, 1)
    const [job] = await jobsOf(workflow)
    expect(job).toMatchObject({ started_by: ann.id, started_by_name: 'ann', spec: { trigger_id: trigger, type: 'active' } })
    expect(messageOf(job)).toMatchObject({ repository: 'lab', branch: 'main', by: 'ben', ref: 'refs/heads/main', commit: expect.any(String) })
    expect(await jobsOf(other.workflow)).toEqual([])
    await app.system('workflow.deactivate', { workflow })
    await commit('three')
    expect(await eventsOf(trigger)).toHaveLength(1)
  })

  test('a workflow hears only of what its owner may read at that time', async () => {
    const eve = await app.person('eve')
    await app.system('grant.set', { to: 'user:eve', on: 'system:system', level: 'none', extras: ['workflow.modify'] })
    const { trigger } = await bound({ type: 'push' }, eve)
    await app.system('grant.set', { to: 'everyone', on: 'repository:lab', level: 'none' })
    await commit('hidden')
    expect(await eventsOf(trigger)).toEqual([])
    await app.system('grant.set', { to: 'user:eve', on: 'repository:lab', level: 'read' })
    await commit('shown')
    expect(await settled(trigger, 1)).toMatchObject([{ state: 'started' }])
    await app.system('user.disable', { user: 'eve' })
    await commit('gone')
    expect(await eventsOf(trigger)).toHaveLength(1)
  })

  test('pull requests and ends of runs start workflows as their filters say', async () => {
    const opened = await bound({ type: 'pull_request', repository: 'lab', actions: ['opened'] })
    const ended = await bound({ type: 'run', kinds: ['workflow'], states: ['succeeded'], run_name: 'watched*' })
    await app.system('repository.fork', { repository: 'lab', path: 'fork' })
    await app.system('repository.commit-files', { repository: 'fork', branch: 'main', message: 'more', files: [{ path: 'more', text: 'x' }] })
    await app.system('grant.set', { to: 'user:ann', on: 'repository:fork', level: 'write' })
    const ends = { repository: 'lab', target_branch: 'main', source_repository: 'fork', source_branch: 'main' }
    const request = await ann.ok('pull-request.create', { ...ends, title: 'x' })
    await ann.ok('pull-request.close', { pull_request: request.id })
    await settled(opened.trigger, 1)
    expect(messageOf((await jobsOf(opened.workflow))[0])).toMatchObject({ repository: 'lab', action: 'opened', pull_request: { title: 'x' } })
    const watched = documentOf({
      name: `watched ${++count}`,
      steps: [{ id: 'start', type: 'api_trigger' }, artifact('A', 'x')],
      paths: ['start>A', 'A>'],
    })
    const { id } = await ann.ok('workflow.create', { document: watched })
    await ann.ok('workflow.activate', { workflow: id })
    const job = await ann.ok('workflow.run', { workflow: id })
    await settled(ended.trigger, 1)
    expect(messageOf((await jobsOf(ended.workflow))[0])).toMatchObject({ by: 'ann', run: { id: job.id, state: 'succeeded' } })
    expect(await eventsOf(opened.trigger)).toHaveLength(1)
  })

  test('a line of the audit trail starts workflows of administrators, once', async () => {
    const root = await app.person('root', { administrator: true })
    const { trigger, workflow } = await bound({ type: 'audit', operations: ['secret.set'] }, root)
    const hidden = await bound({ type: 'audit', operations: ['secret.set'] })
    // The trail is followed from the moment on at which somebody wants to know.
    await until('the trail is followed', () => app.services.store.reader.settings.get('trigger.audit'))
    await ann.ok('secret.set', { scope: 'repository:lab', name: 'x', value: 'canary-value' })
    await settled(trigger, 1)
    const [job, ...more] = await jobsOf(workflow)
    expect(more).toEqual([])
    expect(messageOf(job)).toMatchObject({ operation: 'secret.set', actor: 'ann', outcome: 'succeeded' })
    expect(JSON.stringify(job?.input)).not.toContain('canary-value')
    expect(await eventsOf(hidden.trigger)).toEqual([])
    expect((await root.call('trigger.create', { name: 'own', type: 'audit', operations: ['trigger.start-job'] })).status).toBe(400)
  })

  test('a workflow whose jobs set off its own trigger comes to an end, and says why', async () => {
    const made = await ann.ok('trigger.create', { name: `circle ${++count}`, type: 'run', kinds: ['workflow'], run_name: 'circle*' })
    const start = { id: 'start', type: 'api_trigger', parameters: { trigger_config_id: made.id } }
    const { id } = await ann.ok('workflow.create', {
      document: documentOf({ name: `circle ${++count}`, steps: [start, artifact('A', 'x')], paths: ['start>A', 'A>'] }),
    })
    await ann.ok('workflow.activate', { workflow: id })
    await ann.ok('workflow.run', { workflow: id })
    const events = await until('the circle has ended', async () => {
      const all = await eventsOf(made.id)
      return all.some(({ state }) => state === 'refused') && all.every(({ state }) => state !== 'waiting') ? all : null
    })
    expect(events.filter(({ state }) => state === 'started')).toHaveLength(8)
    expect(events.filter(({ state }) => state === 'refused')).toHaveLength(1)
    expect((await ann.ok('trigger.get', { trigger: made.id })).last_error).toContain('8 times in a row')
    expect(await jobsOf(id)).toHaveLength(9)
    await ann.ok('workflow.deactivate', { workflow: id })
  })

  test('a workflow that pushes to the branch that starts it comes to an end', async () => {
    const { id: trigger } = await ann.ok('trigger.create', { name: 'echo', type: 'push', repository: 'lab', branches: ['echo'] })
    const about = { plugin_vendor: 'capstan', plugin_name: 'git', plugin_version: '1.0.0', step_id: 'commit_files' }
    const files = [{ path: 'echo', text: '{{$job.[$id]}}' }]
    const step = { id: 'Push', type: 'action', parameters: { ...about, input: { repository: 'lab', branch: 'echo', message: 'again', files } } }
    const workflow = await bind(trigger, ann, [step])
    await commit('begin', 'echo')
    const events = await until('it has ended', async () => {
      const all = await eventsOf(trigger)
      return all.some(({ state }) => state === 'refused') && all.every(({ state }) => state !== 'waiting') ? all : null
    })
    expect(events.filter(({ state }) => state === 'started')).toHaveLength(9)
    expect(events.filter(({ error }) => error !== null)).toMatchObject([{ state: 'refused', error: expect.stringContaining('8 times in a row') }])
    expect((await jobsOf(workflow)).map(({ spec }) => spec.event_depth).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})

describe('events from outside', () => {
  const sign = (secret: string, body: string, time: string | null) =>
    `sha256=${createHmac('sha256', secret)
      .update(time === null ? body : `${time}.${body}`)
      .digest('hex')}`
  const now = (offset = 0) => String(Math.floor(Date.now() / 1000) + offset)

  test('a signed post starts one job, also when it comes again', async () => {
    const { trigger, secret, workflow } = await bound({ type: 'webhook' })
    const body = '{"text":"hello"}'
    const timestamp = now()
    const post = { trigger, signature: sign(secret ?? '', body, timestamp), timestamp, body }
    expect((await app.nobody.ok('trigger.receive-webhook', post)).events).toBe(1)
    expect((await app.nobody.ok('trigger.receive-webhook', post)).events).toBe(0)
    await settled(trigger, 1)
    expect((await jobsOf(workflow)).map(messageOf)).toEqual([{ text: 'hello' }])
    const shown = await ann.ok('trigger.get', { trigger })
    expect(JSON.stringify(shown)).not.toContain(secret)
  })

  test('a wrong signature, another time, another body and an unknown trigger are refused, and look alike', async () => {
    const { trigger, secret } = await bound({ type: 'webhook', window_seconds: 60 })
    const key = secret ?? ''
    const body = '{"text":"hello"}'
    const refused = async (more: object) => {
      const post = { trigger, body, timestamp: now(), signature: sign(key, body, now()), ...more }
      const { status, json } = await app.nobody.call('trigger.receive-webhook', post)
      return [status, json.error?.code]
    }
    const wrong = [401, 'invalid_credential']
    expect(await refused({ signature: sign('another', body, now()) })).toEqual(wrong)
    expect(await refused({ signature: sign(key, body, null) })).toEqual(wrong)
    expect(await refused({ body: '{"text":"other"}' })).toEqual(wrong)
    expect(await refused({ timestamp: now(-30) })).toEqual(wrong)
    expect(await refused({ trigger: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001' })).toEqual(wrong)
    expect(await refused({ trigger: 'x', signature: sign('none', body, null) })).toEqual(wrong)
    const old = now(-61)
    expect(await refused({ timestamp: old, signature: sign(key, body, old) })).toEqual([400, 'malformed_request'])
    for (const broken of ['[]', '{', '"x"', `{"a":${'['.repeat(80)}${']'.repeat(80)}}`]) {
      const timestamp = now()
      expect(await refused({ body: broken, timestamp, signature: sign(key, broken, timestamp) })).toEqual([400, 'malformed_request'])
    }
    expect(await eventsOf(trigger)).toEqual([])
  })

  test('a trigger with an open window takes posts whose body alone is signed', async () => {
    const { trigger, workflow } = await bound({ type: 'webhook', window_seconds: 0, secret: 'a secret of 20 letters' })
    const body = '{"n":1}'
    await app.nobody.ok('trigger.receive-webhook', { trigger, signature: sign('a secret of 20 letters', body, null), body })
    await settled(trigger, 1)
    expect(await jobsOf(workflow)).toHaveLength(1)
  })

  test('an event for a trigger starts every active workflow that is bound to it, and variables are checked by name', async () => {
    const made = await ann.ok('trigger.create', { name: 'shared', type: 'api_trigger', api_variables: [{ name: 'n', type: 'integer' }] })
    const both = [await bind(made.id), await bind(made.id)]
    expect(await ann.ok('trigger.send-event', { trigger: made.id, message: { n: 1 } })).toEqual({ events: 2 })
    expect(await ann.ok('trigger.send-event', { trigger: both[0], message: {} })).toEqual({ events: 2 })
    await settled(made.id, 4)
    expect(await Promise.all(both.map(async (id) => (await jobsOf(id)).length))).toEqual([2, 2])
    expect((await ann.call('trigger.send-event', { trigger: made.id, message: [] })).status).toBe(400)
  })

  test('who may not start the workflows cannot send events, unless the trigger takes them from anybody', async () => {
    const made = await ann.ok('trigger.create', { name: 'closed', type: 'api_trigger' })
    const workflow = await bind(made.id)
    const stranger = await app.person('stranger')
    expect((await app.nobody.call('trigger.send-event', { trigger: made.id })).status).toBe(401)
    expect((await app.nobody.call('trigger.send-event', { trigger: workflow })).status).toBe(401)
    expect((await stranger.call('trigger.send-event', { trigger: made.id })).status).toBe(404)
    expect((await stranger.call('trigger.send-event', { trigger: workflow })).status).toBe(404)
    expect((await stranger.call('trigger.get', { trigger: made.id })).status).toBe(404)
    expect((await stranger.call('trigger.update', { trigger: made.id, name: 'x' })).status).toBe(403)
    await app.system('grant.set', { to: 'user:stranger', on: `workflow:${workflow}`, level: 'execute' })
    expect(await stranger.ok('trigger.send-event', { trigger: workflow })).toEqual({ events: 1 })
    await ann.ok('trigger.update', { trigger: made.id, require_auth: false })
    expect(await app.nobody.ok('trigger.send-event', { trigger: made.id })).toEqual({ events: 1 })
    await settled(made.id, 2)
    expect((await jobsOf(workflow)).map(({ started_by_name }) => started_by_name)).toEqual(['ann', 'ann'])
    expect((await ann.call('trigger.delete', { trigger: made.id })).json.error.code).toBe('in_use')
    await ann.ok('workflow.deactivate', { workflow })
    expect((await ann.call('trigger.send-event', { trigger: workflow })).status).toBe(409)
    expect((await ann.ok('trigger.delete', { trigger: made.id })).id).toBe(made.id)
  })

  test('a plugin is known by the path alone, and only from this machine or a private network, through whichever API', async () => {
    const made = await ann.ok('trigger.create', {
      ...{ name: 'plugin', type: 'plugin', plugin_vendor: 'lab', plugin_name: 'watch', plugin_version: '1.0.0', trigger_name: 'poll' },
    })
    // As it is when the plugin was taken away after it was bound.
    const workflow = await bind('')
    await app.services.store.write(({ workflowTriggers }) => workflowTriggers.bind(workflow, made.id))
    await ann.ok('trigger.update', { trigger: made.id, name: 'a plugin' })
    const row = await app.services.store.reader.workflowTriggers.byId(made.id)
    const nonce = app.services.secretBox.open(row?.sealed ?? '', `trigger:${made.id}`).reveal()
    const event = { body: { meta: { trigger: 'another' }, output: { text: 'seen' }, log: '' }, type: 'trigger_event', version: 'v1' }
    expect((await app.nobody.call('dispatcher.receive', { trigger: made.id, nonce: 'none', event })).status).toBe(404)
    for (const peer of ['203.0.113.9', '2001:db8::1', '']) {
      const origin = { via: 'native', peer, requestId: 'from outside' }
      const posted = invoke(app.services, { principal: anonymous, origin }, 'dispatcher.receive', { trigger: made.id, nonce, event })
      await expect(posted).rejects.toMatchObject({ code: 'not_found' })
    }
    expect(await app.nobody.ok('dispatcher.receive', { trigger: made.id, nonce, event })).toEqual({ events: 1 })
    await settled(made.id, 1)
    expect((await jobsOf(workflow)).map(messageOf)).toEqual([{ text: 'seen' }])
    await until('the trigger says that its plugin is missing', async () =>
      (await ann.ok('trigger.get', { trigger: made.id })).last_error?.includes('not installed'),
    )
  })
})

describe('the clock', () => {
  test('after a pause of days a time trigger starts one job, and each slot only one', async () => {
    const { trigger, workflow } = await bound({ type: 'timer', trigger_name: 'daily', input: { times_in_utc: '06:00, 18:00', message: 'wake' } })
    const schedule = await until('its schedule is there', () => app.services.store.reader.schedules.byName('trigger', '', trigger))
    const { services } = app
    const clock = movedClock(systemClock)
    clock.move(3 * 24 * 3_600_000 + 60_000)
    const sources = [triggerSource(() => services)]
    const two = [1, 2].map(() => new Scheduler({ store: services.store, clock, log: services.log, sources }))
    await Promise.all(two.map((scheduler) => scheduler.start()))
    await settled(trigger, 1)
    await Promise.all(two.map((scheduler) => scheduler.close()))
    const again = await services.store.reader.schedules.byId(schedule.id)
    await sources[0]?.fire(schedule, again?.last_slot ?? 0)
    expect(await eventsOf(trigger)).toHaveLength(1)
    const [job] = await jobsOf(workflow)
    expect(messageOf(job)).toEqual({ message: 'wake', time: new Date(again?.last_slot ?? 0).toISOString() })
    await ann.ok('workflow.deactivate', { workflow })
    await until('its schedule rests', async () => (await services.store.reader.schedules.byId(schedule.id))?.suspended)
    await ann.ok('workflow.activate', { workflow, reactivate: true })
    const awake = await until('it is awake again', async () => {
      const row = await services.store.reader.schedules.byId(schedule.id)
      return row && !row.suspended ? row : null
    })
    expect(awake.next_at).toBeLessThan(Date.now() + 24 * 3_600_000)
  })

  test('times that never come are refused when the trigger is made', async () => {
    const refused = async (more: object) => (await ann.call('trigger.create', { name: 'x', ...more })).json.error?.code
    expect(await refused({ type: 'cron', schedule: '* * *' })).toBe('invalid_input')
    expect(await refused({ type: 'cron', schedule: '0 0 31 2 *' })).toBe('invalid_input')
    expect(await refused({ type: 'cron', schedule: '@daily', zone: 'Nowhere/At all' })).toBe('invalid_input')
    expect(await refused({ type: 'timer', trigger_name: 'weekly', input: { day: 'x', times_in_utc: '1:00' } })).toBe('invalid_input')
    expect(await refused({ type: 'push', schedule: '@daily' })).toBe('invalid_input')
    expect(await refused({ type: 'api_trigger', secret: 'sixteen letters!' })).toBe('malformed_request')
  })
})

describe('the queue', () => {
  test('an event whose server was killed after the start of its job becomes no second one', async () => {
    const { trigger, workflow } = await bound({ type: 'webhook' })
    const row = await app.services.store.reader.workflowTriggers.byId(trigger)
    if (!row) throw new Error('It was just made')
    const services = { ...app.services }
    await app.services.store.write((db) => queueEvent(db, row, { id: 'killed', at: Date.now(), message: {}, cause: null }))
    const two = ['one', 'two'].map((id) => new TriggerDispatch({ services: () => services, server: { id, shared: true } }))
    await Promise.all(two.map((dispatch) => dispatch.look()))
    await settled(trigger, 1)
    // As a kill leaves it: the job is there, and nobody noted it.
    const { job_id } = (await services.store.reader.triggerEvents.byId(`killed.${workflow}`)) ?? {}
    await services.store.write(async (db) => {
      const event = await db.triggerEvents.byId(`killed.${workflow}`)
      if (event) await db.triggerEvents.queue({ ...event, id: `killed.${workflow}.again` }, 10)
    })
    const { invoke } = await import('../../operation/invoke.ts')
    const { system } = await import('../../identity/principal.ts')
    const call = { principal: system, origin: { via: 'trigger', peer: '', requestId: 'x' } }
    expect(await invoke<{ job: string }>(services, call, 'trigger.start-job', { event: `killed.${workflow}` })).toMatchObject({ job: job_id })
    expect(await jobsOf(workflow)).toHaveLength(1)
    await Promise.all(two.map((dispatch) => dispatch.close()))
  })

  test('an event of an owner who may not act any more is refused, and the trigger says so', async () => {
    const tom = await app.person('tom')
    await app.system('grant.set', { to: 'user:tom', on: 'system:system', level: 'none', extras: ['workflow.modify'] })
    const { trigger } = await bound({ type: 'api_trigger', require_auth: false }, tom)
    await app.system('user.disable', { user: 'tom' })
    await app.nobody.ok('trigger.send-event', { trigger })
    expect(await settled(trigger, 1)).toMatchObject([{ state: 'refused', error: expect.stringContaining('may not act any more') }])
    expect((await app.system('trigger.get', { trigger })).last_error).toContain('may not act any more')
  })
})
