import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../../test/support/until.ts'
import { artifact, documentOf, trigger } from '../../core/workflow/job/workflow.suite.ts'
import { askingDrawing } from './komand-lab.suite.ts'
import type { JsonObject } from '../../core/kernel/json.ts'
import type { KomandLab, Labs } from './komand-lab.suite.ts'

const uuid = (end: number) => `6f1d0c1a-2b7e-4c55-9d10-${String(end).padStart(12, '0')}`
const nowhere = uuid(999)

/** What somebody finds who knows the contract only, and tries what its sentences say. */
function outsideSuite(labs: Labs): void {
  describe(`the Komand API over ${labs.store}, from outside`, () => {
    let lab: KomandLab
    beforeAll(async () => {
      lab = await labs.open({ config: { pluginRoot: join(import.meta.dirname, '../../../examples/plugins') } })
    })
    afterAll(() => lab.close())

    const status = async (method: string, path: string, body?: unknown) =>
      (await lab.as(lab.root, method, path, body === undefined ? {} : { body })).status
    const draw = (drawing: Omit<Parameters<typeof documentOf>[0], 'name'>) => lab.workflow(documentOf({ name: lab.newName(), ...drawing }))
    const ended = async (workflow: string, message: unknown, wanted: string) => lab.jobOf(await lab.job(workflow, wanted, message))
    const stepsOf = async (job: string) =>
      (await lab.ok('GET', `/v2/jobs/${job}/steps`)).map((step: Record<string, unknown>) => [step.name, step.status])

    describe('a workflow', () => {
      test('is refused where what is said of it has another type', async () => {
        const wrong: readonly object[] = [{ name: 5 }, { description: 5 }, { tags: 'one' }, { tags: [1] }, { type: 5 }]
        for (const member of wrong) {
          const body = { name: lab.newName(), ...member }
          expect(await status('POST', '/v2/workflows', body), JSON.stringify(body)).toBe(400)
        }
      })

      test('has one draft: another one takes its place, and the list of versions and their numbers show no trace of the first', async () => {
        const drawing = lab.document()
        const workflow = await lab.workflow(drawing)
        for (const description of ['two', 'three']) await lab.ok('PUT', `/v2/workflows/${workflow}`, { ...drawing, description })
        const { versions } = await lab.ok('GET', `/v2/workflows/${workflow}/versions`)
        expect(versions.map(({ number, is_active, is_draft }: Record<string, unknown>) => [number, is_active, is_draft])).toEqual([
          [2, false, true],
          [1, true, false],
        ])
        expect(versions[0].created_by).toEqual({ user_name: 'root', first_name: '', last_name: '', email: 'root@lab.test' })
      })

      test('that is sent again as its file has it keeps its trigger', async () => {
        const drawing = lab.document(lab.newName(), {
          triggers: [{ id: uuid(1), name: 'In', type: 'api_trigger', api_variables: [] }],
          steps: [{ id: 'start', type: 'api_trigger', parameters: { trigger_config_id: uuid(1) } }, artifact('Report', 'x')],
        })
        const first = await lab.ok('POST', '/v2/workflows', drawing)
        const count = (await lab.ok('GET', '/v2/triggers')).triggers.length
        const second = await lab.ok('PUT', `/v2/workflows/${first.workflow_uid}`, drawing)
        expect(second.trigger).toEqual(first.trigger)
        expect((await lab.ok('GET', '/v2/triggers')).triggers).toHaveLength(count)
      })

      test('that was made here is exported with all members of the format, in whole seconds', async () => {
        const drawing = lab.document()
        const { workflow_uid, draft_version_uid, last_modified } = await lab.ok('POST', '/v2/workflows', drawing)
        const file = await lab.ok('GET', `/v2/workflows/${workflow_uid}/export`)
        const person = { user_name: 'root', first_name: '', last_name: '', email: 'root@lab.test' }
        expect(file).toMatchObject({ komand_version: '0.4.0', export_by: person })
        expect(file.export_date).toMatch(/T\d\d:\d\d:\d\dZ$/)
        const about = { workflow_id: workflow_uid, workflow_version_id: draft_version_uid, created_by: person, last_modified }
        expect(file.workflows[0]).toMatchObject(about)
      })

      test('that is imported is told to lack both its plugin and its connection', async () => {
        const call = {
          plugin_vendor: 'lab',
          plugin_name: 'gone',
          plugin_version: '1.0.0',
          step_id: 'go',
          connection: { name: 'away', connection_id: 990 },
        }
        const drawing = lab.document(lab.newName(), { steps: [trigger, { id: 'Report', type: 'action', parameters: { ...call, input: {} } }] })
        const { warnings } = await lab.ok('POST', '/v2/workflows/import', { komand_version: '0.4.0', workflows: [drawing] })
        expect(warnings).toEqual([
          expect.stringContaining('lab/gone 1.0.0 is not installed'),
          expect.stringContaining('no connection "990"'),
          expect.stringContaining('the file means "away"'),
        ])
      })

      test('that is imported is not silently bound to a connection that only has the number of the one that its file names', async () => {
        const of = { plugin_vendor: 'capstan', plugin_name: 'mail', plugin_version: '1.0.0' }
        const { connection_id, name } = await lab.ok('POST', '/v2/connections', {
          name: lab.newName(),
          ...of,
          parameters: { host: 'mail.lab.test', from: 'a@lab.test' },
        })
        const warned = async (connection: object) => {
          const call = { ...of, step_id: 'send', connection, input: { to: ['a@b.test'], subject: 's', text: 't' } }
          const drawing = lab.document(lab.newName(), { steps: [trigger, { id: 'Report', type: 'action', parameters: call as JsonObject }] })
          return (await lab.ok('POST', '/v2/workflows/import', { komand_version: '0.4.0', workflows: [drawing] })).warnings.join()
        }
        expect(await warned({ name: 'theirs', connection_id })).toContain(`the file means "theirs", and number ${connection_id} is "${name}" here`)
        expect(await warned({ name, connection_id })).not.toContain('the file means')
      })
    })

    describe('a job', () => {
      test('whose loop is given no list fails at that loop, and begins with it again', async () => {
        const loop = { id: 'L', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'L>in', nextEdgeId: 'L>' } }
        const workflow = await draw({ steps: [trigger, loop, { ...artifact('in', 'x'), parent_id: 'L' }], paths: ['start>L', 'L>in', 'L>', 'in>'] })
        const job = await ended(workflow, { list: { not: 'a list' } }, 'failed')
        expect(job).toMatchObject({ failed_step_name: 'L', failed_step_id: expect.any(Number), context: { data: { L: { $success: false } } } })
        const steps = await lab.ok('GET', `/v2/jobs/${job.job_id}/steps`)
        expect(steps.at(-1)).toMatchObject({ name: 'L', status: 'failed', step_id: job.failed_step_id, error: expect.stringContaining('array') })
        const again = await lab.ok('POST', `/v2/jobs/${job.job_id}/rerun`, { from: 'failed_step' })
        await until('it has failed again', async () => (await lab.jobOf(again.job_id)).status === 'failed')
        expect((await lab.jobOf(again.job_id)).failed_step_name).toBe('L')
      })

      test('fails at a step that cannot tell its way, also where the step says to go on: there is no way to go on', async () => {
        const rule = { stepControlParam: { expressionText: '{{[start].[gone]}} > 1', edgeId: 'f>after' } }
        const filter = { id: 'f', type: 'filter', parameters: rule, continue_on_failure: true }
        const workflow = await draw({ steps: [trigger, filter, artifact('after', 'x')], paths: ['start>f', 'f>after:On', 'after>'] })
        const job = await ended(workflow, {}, 'failed')
        expect(job).toMatchObject({
          failed_step_name: 'f',
          errors: [{ step_name: 'f', message: 'Error evaluating rule for path "On": The variable start.gone wasn\'t defined' }],
        })
        expect(Object.keys(job.context.data)).not.toContain('after')
        expect(job.traversed_paths.map(({ path_uid }: { path_uid: string }) => path_uid)).toEqual(['start>f'])
      })

      test('lists the paths that it took in their order: a loop is left behind its rounds', async () => {
        const loop = { id: 'L', type: 'loop', parameters: { repeatCount: 2, repeatDelay: 0, innerEdgeId: 'L>in', nextEdgeId: 'L>on' } }
        const steps = [trigger, loop, { ...artifact('in', 'x'), parent_id: 'L' }, artifact('on', 'x')]
        const workflow = await draw({ steps, paths: ['start>L', 'L>in', 'L>on', 'in>', 'on>'] })
        const { traversed_paths } = await ended(workflow, {}, 'succeeded')
        const taken = ['start>L', 'L>in', 'in>', 'in>', 'L>on', 'on>']
        expect(traversed_paths.map(({ path_uid }: { path_uid: string }) => path_uid)).toEqual(taken)
      })

      test('passes a disabled step over: it is skipped, and has no entry', async () => {
        const workflow = await draw({
          steps: [trigger, { ...artifact('off', 'x'), is_disabled: true }, artifact('on', 'x')],
          paths: ['start>off', 'off>on', 'on>'],
        })
        const job = await ended(workflow, {}, 'succeeded')
        expect(Object.keys(job.context.data)).not.toContain('off')
        expect(await stepsOf(job.job_id)).toEqual([
          ['start', 'succeeded'],
          ['off', 'skipped'],
          ['on', 'succeeded'],
        ])
      })

      test('that is cancelled while it asks somebody shows only the steps that had begun', async () => {
        const workflow = await draw(askingDrawing)
        const id = await lab.job(workflow, 'waiting')
        expect(await lab.ok('POST', `/v2/jobs/${id}/cancel`)).toMatchObject({ status: 'cancelled', ended_at: expect.any(String) })
        expect(await stepsOf(id)).toEqual([
          ['start', 'succeeded'],
          ['ask', 'cancelled'],
        ])
        expect(Object.keys((await lab.jobOf(id)).context.data)).not.toContain('yes')
      })

      test('tells how often an action was tried', async () => {
        const call = { plugin_vendor: 'capstan', plugin_name: 'json', plugin_version: '1.0.0', step_id: 'parse', input: { text: '{' } }
        const again = { id: 'try', type: 'action', parameters: { ...call, retry: { count: 2, delay: 0.01 } } }
        const workflow = await draw({ steps: [trigger, again], paths: ['start>try', 'try>'] })
        const { job_id } = await ended(workflow, {}, 'failed')
        expect((await lab.ok('GET', `/v2/jobs/${job_id}/steps`)).at(-1)).toMatchObject({ name: 'try', attempt: 3 })
      })

      test('is in a list up to the second that it is shown with', async () => {
        const { job_id, created_at, workflow_uid } = await ended(await lab.workflow(), { text: 'x' }, 'succeeded')
        const { jobs } = await lab.ok('GET', `/v2/jobs?workflow_uid=${workflow_uid}&created_from=${created_at}&created_to=${created_at}`)
        expect(jobs.map((job: { job_id: string }) => job.job_id)).toEqual([job_id])
      })

      test('begins again with a word or a step and nothing else, and is looked after by users that there are', async () => {
        const { job_id } = await ended(await lab.workflow(), { text: 'x' }, 'succeeded')
        expect(await status('POST', `/v2/jobs/${job_id}/rerun`, { from: 'elsewhere' })).toBe(400)
        expect(await status('POST', `/v2/jobs/${job_id}/rerun`, { from: nowhere })).toBe(409)
        expect(await status('PUT', `/v2/jobs/${job_id}`, { owned_by_id: 99_999 })).toBe(400)
        expect(await status('PUT', `/v2/jobs/${job_id}`, { owned_by_id: lab.ann.serial })).toBe(200)
      })
    })

    describe('a trigger', () => {
      const variables = [{ name: 'n', title: 'N', type: 'integer', error: '', format: '' }]
      const made = async () => (await lab.ok('POST', '/v2/triggers', { name: lab.newName(), type: 'api_trigger', api_variables: variables })).id
      const bound = (id: string) =>
        lab.document(lab.newName(), { steps: [{ id: 'start', type: 'api_trigger', parameters: { trigger_config_id: id } }, artifact('Report', 'x')] })

      test('that workflows share has its variables checked by their types, whichever way the event comes', async () => {
        const id = await made()
        const workflow = await lab.workflow(bound(id))
        for (const path of [`/v2/trigger/${id}/events`, `/v2/trigger/${workflow}/events`, `/v2/workflows/${workflow}/events`]) {
          const wrong = await lab.as(lab.root, 'POST', path, { body: { n: 'one' } })
          expect([wrong.status, wrong.text.includes('\\"n\\"')], path).toEqual([400, true])
          expect(await status('POST', path, { n: 1 }), path).toBe(200)
        }
        const job = await ended(workflow, { n: 2, more: true }, 'succeeded')
        expect(job.context.data.start).toEqual({ n: 2, $success: true })
      })

      test('that nothing active is bound to takes no event: 409', async () => {
        const id = await made()
        const workflow = await lab.workflow(bound(id))
        await lab.ok('POST', `/v2/workflows/${workflow}/deactivate`)
        expect(await status('POST', `/v2/trigger/${id}/events`, { n: 1 })).toBe(409)
        expect((await lab.as(lab.sam, 'POST', `/v2/trigger/${id}/events`, { body: { n: 1 } })).status).toBe(404)
      })

      test('is refused with variables that are no list of them, and of a plugin that is not there', async () => {
        expect(await status('POST', '/v2/triggers', { name: 'x', type: 'api_trigger', api_variables: 'n' })).toBe(400)
        const watch = { name: 'x', type: 'plugin_trigger', plugin_vendor: 'lab', plugin_name: 'gone', plugin_version: '1.0.0', trigger_name: 'poll' }
        expect(await status('POST', '/v2/triggers', watch)).toBe(404)
        expect(await status('POST', '/v2/triggers', { ...watch, plugin_vendor: 'capstan', plugin_name: 'timers' })).toBe(400)
      })
    })

    test('a user keeps the title in the company, and tokens carry it', async () => {
      const name = lab.newName()
      const made = await lab.ok('POST', '/v2/users', { user_name: name, user_secret: 'a long enough secret', company_title: 'Analyst II' })
      expect(made.company_title).toBe('Analyst II')
      const changed = await lab.ok('PUT', `/v2/users/${made.user_id}`, { company_title: 'Lead' })
      expect([changed.company_title, (await lab.ok('GET', `/v2/users/${made.user_id}`)).company_title]).toEqual(['Lead', 'Lead'])
      const claims = JSON.parse(Buffer.from((await lab.logIn(name, 'a long enough secret')).split('.')[1] ?? '', 'base64url').toString())
      expect(claims.user.company_title).toBe('Lead')
    })

    test('a connection of a plugin that is not there is not found', async () => {
      const body = { name: lab.newName(), plugin_vendor: 'lab', plugin_name: 'gone', plugin_version: '1.0.0', parameters: {} }
      expect(await status('POST', '/v2/connections', body)).toBe(404)
    })

    test('a row of a shared list may be any JSON, and a helper step names its list by an object too', async () => {
      const name = lab.newName()
      const { id } = await lab.ok('POST', '/v2/artifacts', { name })
      for (const data of [null, 'x', 5, [1], { value: 'v' }])
        expect((await lab.ok('POST', `/v2/artifacts/${id}/entities`, { data })).data).toEqual(data)
      const look = (globalArtifact: Readonly<Record<string, string>>) => ({
        helperIdentifier: 'lookup_global_artifacts',
        globalArtifact,
        expressionText: "'value' = {{[start].[v]}}",
      })
      for (const list of [{ id }, { name }, { id, name }]) {
        const workflow = await draw({ steps: [trigger, { id: 'look', type: 'helpers', parameters: look(list) }], paths: ['start>look', 'look>'] })
        expect((await ended(workflow, { v: 'v' }, 'succeeded')).context.data.look).toEqual({ found: true, results: [{ value: 'v' }], $success: true })
      }
    })
  })
}

export { outsideSuite }
