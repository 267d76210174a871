import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../../test/support/until.ts'
import { artifact, trigger } from '../../core/workflow/job/workflow.suite.ts'
import { askingDrawing, failingDrawing } from './komand-lab.suite.ts'
import { denied } from './errors.ts'
import type { KomandLab, Labs } from './komand-lab.suite.ts'

const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())

/** What the contract says beyond single routes. */
function rulesSuite(labs: Labs): void {
  describe(`the rules of the Komand API over ${labs.store}`, () => {
    let lab: KomandLab
    beforeAll(async () => {
      lab = await labs.open()
    })
    afterAll(() => lab.close())

    const jwt = (token: string) => ({ cookie: `jwt=${token}` })

    describe('a log-in', () => {
      test('is read as JSON whatever its content type says, and gives a token with exactly the claims of the contract', async () => {
        const raw = JSON.stringify({ user_name: 'ROOT@lab.test', user_secret: lab.root.password })
        const tokens = new Set<string>()
        for (const type of [
          'application/x-www-form-urlencoded',
          'application/json',
          'text/plain',
          'multipart/form-data; boundary=x',
          'no/such; type',
          '',
        ]) {
          const answer = await lab.send('POST', '/v2/sessions', { raw, headers: type === '' ? {} : { 'content-type': type } })
          expect(answer.status, `${type}: ${answer.text}`).toBe(200)
          expect(Object.keys(answer.json)).toEqual(['token'])
          tokens.add(answer.json.token)
        }
        expect(tokens.size).toBe(6)
        const [token = ''] = tokens
        const [header = '', body = ''] = token.split('.')
        expect(Buffer.from(header, 'base64url').toString()).toBe('{"alg":"HS256","typ":"JWT"}')
        const claims = json(body)
        expect(Object.keys(claims).sort()).toEqual(
          [
            ...['enable_licensing', 'exp', 'hashed_account_id', 'iat', 'komand_branch', 'komand_revision', 'komand_version'],
            ...['pendo_account', 'perms', 'sub', 'user'],
          ].sort(),
        )
        expect(claims).toMatchObject({ enable_licensing: false, komand_version: '0.4000', sub: 'root' })
        expect(claims.exp - claims.iat).toBe(12 * 3600)
        expect(claims.hashed_account_id).toMatch(/^[\w-]{22}$/)
        expect(claims.pendo_account).toMatch(/^[\w-]{11}$/)
        expect(claims.komand_revision).toMatch(/^[0-9a-f]{40}$/)
        expect(claims.perms).toEqual([
          ...['PLUGIN_MODIFY', 'WORKFLOW_MODIFY', 'CONNECTION_MODIFY', 'USER_CREATE', 'USER_MANAGER', 'APP', 'PRODUCT_KEY_VIEW'],
        ])
        expect(Object.keys(claims.user).sort()).toEqual(
          ['avatar_url', 'company_title', 'first_name', 'inactive', 'last_name', 'user_id', 'user_name'].sort(),
        )
        expect(json((lab.ann.token.split('.')[1] ?? '') as string).perms).toEqual(['APP'])
      })

      test('refuses a wrong name, a wrong secret and an inactive user in the same words', async () => {
        const idle = await lab.member('idle')
        await lab.ok('PUT', `/v2/users/${idle.serial}`, { inactive: true })
        const answers = []
        for (const [user_name, user_secret] of [
          ['nobody', 'x'],
          ['root', 'wrong'],
          ['idle', idle.password],
          ['', 'x'],
          ['x'.repeat(400), 'x'],
          ['default', 'x'],
        ]) {
          answers.push(await lab.send('POST', '/v2/sessions', { body: { user_name, user_secret } }))
        }
        expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401])
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
        for (const body of [{}, { user_name: 'root' }, { user_name: 'root', user_secret: 1 }, { user_name: ['root'], user_secret: 'x' }]) {
          expect((await lab.send('POST', '/v2/sessions', { body })).status).toBe(400)
        }
      })

      test('is limited by failures alone: ten of one name from one address, then 429 with a time to wait', async () => {
        const eve = await lab.member('eve')
        const wrong = () => lab.send('POST', '/v2/sessions', { body: { user_name: 'eve', user_secret: 'wrong' } })
        for (let at = 0; at < 10; at++) expect((await wrong()).status).toBe(401)
        const refused = await wrong()
        expect([refused.status, refused.json.status]).toEqual([429, 'TOO_MANY_REQUESTS'])
        expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
        expect((await lab.send('POST', '/v2/sessions', { body: { user_name: 'eve', user_secret: eve.password } })).status).toBe(429)
        // Others are not touched by it, however often they come.
        for (let at = 0; at < 15; at++)
          expect((await lab.send('POST', '/v2/sessions', { body: { user_name: 'root', user_secret: lab.root.password } })).status).toBe(200)
      })
    })

    describe('a session', () => {
      test('is told, ends alone, and then its token is none', async () => {
        const [one, other] = [await lab.logIn('ann', lab.ann.password), await lab.logIn('ann', lab.ann.password)]
        const told = await lab.send('GET', '/v2/sessions', { headers: jwt(one) })
        expect(told.json).toMatchObject({ user: { user_name: 'ann', role_name: 'analyst' }, perms: ['APP'] })
        expect(told.json.exp).toBe(json(one.split('.')[1] ?? '').exp)
        expect((await lab.send('DELETE', '/v2/sessions', { headers: jwt(one) })).json).toEqual({ message: 'session closed' })
        expect((await lab.send('GET', '/v2/sessions', { headers: jwt(one) })).status).toBe(401)
        expect((await lab.send('GET', '/v2/sessions', { headers: jwt(other) })).status).toBe(200)
      })

      test('of a cookie does not count for what another site caused', async () => {
        const path = '/v2/jobs/0b5d1c2e-6f5d-4a43-9a53-0d3f6ef6a0ff/cancel'
        for (const strange of [
          { origin: 'https://evil.test' },
          { origin: 'null' },
          { 'sec-fetch-site': 'cross-site' },
          { 'sec-fetch-site': 'same-site' },
        ] as Record<string, string>[]) {
          const answer = await lab.send('POST', path, { headers: { ...jwt(lab.root.token), ...strange } })
          expect([answer.status, answer.text]).toEqual([403, `{"message":"${denied}","status":"ACCESS_DENIED"}`])
          expect((await lab.as(lab.root, 'POST', path, { headers: strange })).status).toBe(404)
          expect((await lab.send('GET', '/v2/jobs?limit=1', { headers: { ...jwt(lab.root.token), ...strange } })).status).toBe(200)
        }
        expect((await lab.send('POST', path, { headers: { ...jwt(lab.root.token), origin: new URL(lab.app.url).origin } })).status).toBe(404)
      })

      test('holds what its user holds now, and not what its token says', async () => {
        const pat = await lab.member('pat', { administrator: true })
        expect((await lab.as(pat, 'POST', '/v2/artifacts', { body: { name: lab.newName() } })).status).toBe(200)
        await lab.ok('PUT', `/v2/users/${pat.serial}`, { role_name: 'analyst' })
        expect((await lab.as(pat, 'POST', '/v2/artifacts', { body: { name: lab.newName() } })).status).toBe(403)
        await lab.ok('PUT', `/v2/users/${pat.serial}`, { inactive: true })
        expect((await lab.as(pat, 'GET', '/v2/jobs')).status).toBe(401)
      })
    })

    describe('who is who', () => {
      test('a user made here is the same everywhere, with the role that was meant', async () => {
        const user = await lab.ok('POST', '/v2/users', {
          user_name: 'una',
          user_secret: 'a phrase of una',
          email: 'Una@Lab.test',
          first_name: 'Una',
          role_name: 'analyst',
        })
        expect(user).toMatchObject({
          user_name: 'una',
          inactive: false,
          first_name: 'Una',
          role_name: 'analyst',
          role: { name: 'analyst', permissions: ['APP'] },
        })
        // md5 of "una@lab.test"
        expect(user.avatar_url).toMatch(/^https:\/\/www\.gravatar\.com\/avatar\/[0-9a-f]{32}\?d=mm$/)
        expect(JSON.stringify(user)).not.toContain('a phrase')
        expect(await lab.app.system('user.get', { user: 'una' })).toMatchObject({ serial: user.user_id, first_name: 'Una', active: true })
        await lab.app.system('user.update', { user: 'una', last_name: 'Other' })
        expect(await lab.ok('GET', `/v2/users/${user.user_id}`)).toMatchObject({ last_name: 'Other' })
      })

      test('names are seen by all who are signed in, addresses by managers of users and oneself', async () => {
        const { users } = (await lab.as(lab.ann, 'GET', '/v2/users')).json
        const of = (name: string) => users.find((user: { user_name: string }) => user.user_name === name)
        expect(of('ann').email).toBe('ann@lab.test')
        expect(of('root')).toMatchObject({
          email: '',
          role_name: 'administrator',
          avatar_url: expect.stringContaining('d41d8cd98f00b204e9800998ecf8427e'),
        })
        expect((await lab.ok('GET', '/v2/users')).users.find((user: { user_name: string }) => user.user_name === 'ann').email).toBe('ann@lab.test')
      })

      test('who may only make users gives them no role', async () => {
        await lab.member('maker')
        await lab.app.system('grant.set', { to: 'user:maker', on: 'system:system', level: 'read', extras: ['user.create'] })
        const maker = { ...lab.root, token: await lab.logIn('maker', 'a long phrase of maker') }
        const body = { user_name: 'made', user_secret: 'a phrase that is long' }
        for (const role_name of ['administrator', 'analyst']) {
          expect((await lab.as(maker, 'POST', '/v2/users', { body: { ...body, role_name } })).status).toBe(403)
        }
        expect((await lab.as(maker, 'POST', '/v2/users', { body })).json).toMatchObject({
          user_name: 'made',
          role_name: '',
          role: { permissions: ['APP'] },
        })
        expect((await lab.as(maker, 'PUT', `/v2/users/${lab.ann.serial}`, { body: { first_name: 'x' } })).status).toBe(403)
      })

      test('a change of a user that cannot be made whole is not made, and one made inactive cannot log in', async () => {
        const { user_id } = await lab.ok('POST', '/v2/users', { user_name: 'dozer', user_secret: 'a phrase of dozer', inactive: true })
        expect((await lab.send('POST', '/v2/sessions', { body: { user_name: 'dozer', user_secret: 'a phrase of dozer' } })).status).toBe(401)
        const taken = await lab.as(lab.root, 'PUT', `/v2/users/${user_id}`, {
          body: { role_name: 'administrator', user_name: 'ann', inactive: false },
        })
        expect(taken.status).toBe(409)
        expect(await lab.ok('GET', `/v2/users/${user_id}`)).toMatchObject({ user_name: 'dozer', inactive: true, role_name: '' })
        expect(await lab.ok('PUT', `/v2/users/${user_id}`, { role_name: 'analyst', inactive: false })).toMatchObject({
          inactive: false,
          role_name: 'analyst',
        })
      })

      test('a manager of users who is no administrator is refused what is about administrators', async () => {
        await lab.member('warden')
        await lab.app.system('grant.set', { to: 'user:warden', on: 'system:system', level: 'read', extras: ['user.manage'] })
        const warden = { ...lab.root, token: await lab.logIn('warden', 'a long phrase of warden') }
        const { serial } = await lab.app.system('user.get', { user: 'root' })
        for (const [method, body] of [
          ['PUT', { user_secret: 'a phrase that is long' }],
          ['PUT', { role_name: '' }],
          ['PUT', { inactive: true }],
          ['DELETE', undefined],
        ] as const) {
          const answer = await lab.as(warden, method, `/v2/users/${serial}`, body === undefined ? {} : { body })
          expect([answer.status, answer.json.message]).toEqual([403, denied])
        }
      })

      test('an analyst reads and starts every workflow and changes none; somebody without a role sees what was granted', async () => {
        const workflow = await lab.workflow()
        expect((await lab.as(lab.ann, 'GET', `/v2/workflows/${workflow}`)).status).toBe(200)
        const { job_id } = (await lab.as(lab.ann, 'POST', `/v2/workflows/${workflow}/events`)).json
        expect((await lab.as(lab.sam, 'GET', `/v2/jobs/${job_id}`)).status).toBe(404)
        expect((await lab.as(lab.sam, 'POST', `/v2/workflows/${workflow}/events`)).status).toBe(404)
        await lab.app.system('grant.set', { to: 'user:sam', on: `workflow:${workflow}`, level: 'read' })
        expect((await lab.as(lab.sam, 'GET', `/v2/jobs/${job_id}`)).status).toBe(200)
        const refused = await lab.as(lab.sam, 'POST', `/v2/workflows/${workflow}/events`)
        expect([refused.status, refused.json.message]).toEqual([403, denied])
      })
    })

    describe('the published clients', () => {
      test('the client plugin logs in before each call, sends the cookie alone, and finds what it looks for', async () => {
        const name = lab.newName()
        const workflow = await lab.workflow(lab.document(name))
        const call = async (method: string, path: string, body?: unknown) => {
          const token = await lab.logIn('ann', lab.ann.password)
          const answer = await lab.send(method, path, { headers: jwt(token), ...(body !== undefined && { body }) })
          expect(answer.status, answer.text).toBe(200)
          return answer.json
        }
        const { workflows } = await call('GET', '/v2/workflows/?minimum=true&status=active')
        const found = workflows.find((one: { name: string }) => one.name === name)
        expect(found.workflow_uid).toBe(workflow)
        expect(found).not.toHaveProperty('version')
        const { job_id, job_url, message } = await call('POST', `/v2/workflows/${workflow}/events`, { text: 'hello' })
        expect(message).toBe('event published to queue')
        expect(job_url).toBe(`${lab.app.services.settings.publicUrl}/jobs/details/${job_id}`)
        await until('the job has ended', async () => (await call('GET', `/v2/jobs/${job_id}`)).status === 'succeeded')
        const steps = await call('GET', `/v2/jobs/${job_id}/steps`)
        expect(steps.map((step: { name: string }) => step.name)).toEqual(['start', 'Report'])
        const { jobs } = await call('GET', '/v2/jobs?desc=created_at&desc=job_id&limit=1&offset=0&status=succeeded')
        expect(jobs).toHaveLength(1)
        expect(typeof jobs[0].ended_at).toBe('string')
      })

      test('the command line client sends a body with its GET, and headers and parameters that nobody knows', async () => {
        const job = await lab.job(await lab.workflow(), 'succeeded')
        const headers = { 'Accept.Encoding': 'gzip', 'content-type': 'application/json' }
        for (const raw of [`{"jobid":"${job}"}`, 'no json', 'x'.repeat(2_000_000)]) {
          const answer = await lab.as(lab.ann, 'GET', `/v2/jobs/${job}?nobody=knows`, { raw, headers })
          expect([answer.status, answer.json.job_id]).toEqual([200, job])
        }
      })

      test('the trigger route answers without a job, and starts one for each active workflow that shares the trigger', async () => {
        const { id } = await lab.ok('POST', '/v2/triggers', { name: 'shared', type: 'api_trigger', require_auth: false })
        const steps = [{ id: 'start', type: 'api_trigger', parameters: { trigger_config_id: id } }]
        const shared = () => lab.workflow(lab.document(lab.newName(), { steps, paths: ['start>'] }))
        const both = [await shared(), await shared()]
        const answer = await lab.send('POST', `/v2/trigger/${id}/events`, { body: { job_id: 'mine' } })
        expect([answer.status, answer.text]).toEqual([200, '{"message":"trigger event published to queue"}'])
        for (const workflow of both) {
          const { jobs } = await until('its job is there', async () => {
            const list = await lab.ok('GET', `/v2/jobs?workflow_uid=${workflow}`)
            return list.jobs.length > 0 ? list : null
          })
          expect(jobs[0].context.data.$start_message).toEqual({ job_id: 'mine' })
        }
        expect((await lab.send('POST', `/v2/trigger/${await lab.workflow()}/events`)).status).toBe(401)
      })
    })

    describe('jobs', () => {
      test('members of an event never change what a job is', async () => {
        const workflow = await lab.workflow()
        const message = { job_id: 'x', $id: 'y', workflow_uid: 'z', $success: false, status: 'failed', constructor: 'c', text: 'hello' }
        const raw = `{"__proto__":{"polluted":true},${JSON.stringify(message).slice(1)}`
        const { json: started } = await lab.as(lab.root, 'POST', `/v2/workflows/${workflow}/events`, { raw })
        const job = await until('it has ended', async () => {
          const one = await lab.jobOf(started.job_id)
          return one.ended_at ? one : null
        })
        expect(job).toMatchObject({
          job_id: started.job_id,
          workflow_uid: workflow,
          status: 'succeeded',
          group_id: started.job_id,
          type: 'active',
          errors: null,
        })
        expect(job.context.data.$id).toBe(started.job_id)
        expect(job.context.data.$start_message).toMatchObject(message)
        expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      })

      test('one that has not ended has no time of its end, and one that waits is decided, cancelled and told so', async () => {
        const workflow = await lab.workflow(lab.document(lab.newName(), askingDrawing))
        const job = await lab.job(workflow, 'waiting')
        const waiting = await lab.jobOf(job)
        expect(waiting).not.toHaveProperty('ended_at')
        expect(waiting).toMatchObject({ next_step_uids: ['ask'], is_rerunnable: false })
        const decide = (path_uid: string) => lab.as(lab.ann, 'POST', `/v2/jobs/${job}/steps/ask/decision`, { body: { path_uid } })
        expect((await decide('other')).status).toBe(400)
        expect((await decide('ask>no')).status).toBe(200)
        const decided = await until('it has ended', async () => {
          const one = await lab.jobOf(job)
          return one.ended_at ? one : null
        })
        expect(decided.context.data.ask).toEqual({ path: 'No', user_name: 'ann', $success: true })
        expect((await decide('ask>yes')).status).toBe(409)
        const other = await lab.job(workflow, 'waiting')
        await lab.ok('POST', `/v2/jobs/${other}/events/cancel`)
        await until('it is cancelled', async () => (await lab.jobOf(other)).status === 'cancelled')
      })

      test('one that asks in several rounds of a loop at once takes the answer for one of them by the number of its step', async () => {
        const ask = {
          id: 'ask',
          type: 'human_decision',
          parent_id: 'L',
          parameters: { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] },
        }
        const loop = { id: 'L', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', parallel: 2, innerEdgeId: 'L>ask' } }
        const said = (id: string) => artifact(id, '{{[L].[$item]}} {{[ask].[path]}}', { parent_id: 'L' })
        const paths = ['start>L', 'L>ask', 'ask>yes:Yes', 'ask>no:No', 'yes>', 'no>']
        const workflow = await lab.workflow(lab.document(lab.newName(), { steps: [trigger, loop, ask, said('yes'), said('no')], paths }))
        const { job_id: job } = await lab.ok('POST', `/v2/workflows/${workflow}/events`, { list: ['a', 'b'] })
        await until('it waits', async () => (await lab.jobOf(job)).status === 'waiting')
        const steps: { step_uid: string; step_id: number; loop_index: number }[] = await lab.ok('GET', `/v2/jobs/${job}/steps`)
        const second = steps.find(({ step_uid, loop_index }) => step_uid === 'ask' && loop_index === 1)
        const decide = (body: object) => lab.as(lab.ann, 'POST', `/v2/jobs/${job}/steps/ask/decision`, { body: { path_uid: 'ask>no', ...body } })
        for (const step_id of ['1', 1.5, null, {}]) expect((await decide({ step_id })).status).toBe(400)
        expect((await decide({ step_id: 7 })).status).toBe(409)
        expect((await decide({ step_id: second?.step_id })).status).toBe(200)
        expect((await decide({ step_id: second?.step_id })).status).toBe(409)
        expect((await decide({ path_uid: 'ask>yes' })).status).toBe(200)
        await until('it has succeeded', async () => (await lab.jobOf(job)).status === 'succeeded')
        const { artifacts } = await lab.ok('GET', `/v2/jobs/${job}/artifacts`)
        expect(artifacts.map(({ content }: { content: string }) => content)).toEqual(['a Yes', 'b No'])
      })

      test('a failed one says where, is run again as another of its group, and is then "retried"', async () => {
        const workflow = await lab.workflow(lab.document(lab.newName(), failingDrawing))
        const job = await lab.job(workflow, 'failed')
        const failed = await lab.jobOf(job)
        expect(failed).toMatchObject({ failed_step_name: 'f', is_rerunnable: true, errors: [{ step_name: 'f', message: expect.any(String) }] })
        expect(failed.context.data.f).toEqual({ $success: false })
        const steps = await lab.ok('GET', `/v2/jobs/${job}/steps`)
        expect(steps.at(-1)).toMatchObject({ step_id: failed.failed_step_id, step_uid: 'f', status: 'failed', job_id: job })
        const again = await lab.ok('POST', `/v2/jobs/${job}/rerun`, { from: 'failed_step' })
        expect((await lab.jobOf(again.job_id)).group_id).toBe(job)
        expect((await lab.jobOf(job)).status).toBe('retried')
        await until('it has failed as well', async () => (await lab.jobOf(again.job_id)).status === 'failed')
        await lab.ok('POST', `/v2/jobs/${again.job_id}/dismiss`)
        const ids = async (query: string) =>
          (await lab.ok('GET', `/v2/jobs?group_id=${job}${query}`)).jobs.map((one: { job_id: string }) => one.job_id)
        expect(await ids('')).toEqual([again.job_id, job])
        expect(await ids('&asc=created_at')).toEqual([job, again.job_id])
        expect(await ids('&status=retried')).toEqual([job])
        expect(await ids('&status=dismissed')).toEqual([again.job_id])
        expect(await ids('&status=failed')).toEqual([])
      })

      test('a list is cut, sorted and narrowed as clients ask for it', async () => {
        const workflow = await lab.workflow(lab.document('sorted'))
        const made: string[] = []
        for (let at = 0; at < 5; at++) made.push(await lab.job(workflow, 'succeeded'))
        const ids = async (query: string) =>
          (await lab.ok('GET', `/v2/jobs?workflow_uid=${workflow}${query}`)).jobs.map((one: { job_id: string }) => one.job_id)
        const newest = [...made].reverse()
        expect(await ids('')).toEqual(newest)
        expect(await ids('&limit=2')).toEqual(newest.slice(0, 2))
        expect(await ids('&limit=2&offset=1')).toEqual(newest.slice(1, 3))
        expect(await ids('&offset=4')).toEqual(newest.slice(4))
        expect(await ids('&offset=9')).toEqual([])
        expect(await ids('&limit=0')).toEqual([])
        expect(await ids('&asc=job_id')).toEqual([...made].sort())
        expect(await ids('&desc=job_id&limit=3')).toEqual([...made].sort().reverse().slice(0, 3))
        expect(await ids('&desc=name&asc=created_at')).toEqual(made)
        expect(await ids('&created_from=2100-01-01T00:00:00Z')).toEqual([])
        expect(await ids('&created_to=2100-01-01T00:00:00Z&created_from=2020-01-01')).toEqual(newest)
        const { jobs } = await lab.ok('GET', `/v2/jobs?workflow_uid=${workflow}&minimum=true&limit=1`)
        for (const left of ['context', 'traversed_paths', 'potential_next_paths']) expect(jobs[0]).not.toHaveProperty(left)
        for (const bad of [
          'status=done',
          'limit=x',
          'limit=-1',
          'offset=1.5',
          'desc=context',
          'asc=__proto__',
          'workflow_uid=x',
          'created_from=now',
          'minimum=maybe',
        ]) {
          const answer = await lab.as(lab.root, 'GET', `/v2/jobs?${bad}`)
          expect([answer.status, answer.json.status], bad).toEqual([400, 'BAD_REQUEST'])
        }
      })

      test('runs of other kinds are among them, for who may read them', async () => {
        const cmd = ['/bin/true']
        const { id } = await lab.app.system('task.deploy', { namespace: 'lab', configuration: { type: 'job', name: 'a-task', cmd } })
        const { jobs } = await lab.ok('GET', '/v2/jobs?limit=20')
        const found = jobs.find((one: { job_id: string }) => one.job_id === id)
        expect(found).toMatchObject({ workflow_uid: id, version_uid: '', group_id: id, name: 'a-task', type: 'active', is_rerunnable: false })
        expect(await lab.ok('GET', `/v2/jobs/${id}/steps`)).toEqual([])
        expect((await lab.as(lab.root, 'POST', `/v2/jobs/${id}/rerun`)).status).toBe(409)
        expect((await lab.as(lab.sam, 'GET', `/v2/jobs/${id}`)).status).toBe(404)
        expect((await lab.as(lab.sam, 'GET', '/v2/jobs')).json.jobs.map((one: { job_id: string }) => one.job_id)).not.toContain(id)
      })

      test('a long list is one JSON text, however many pages it was read from', async () => {
        const workflow = await lab.workflow(lab.document('many'))
        for (let at = 0; at < 120; at++) await lab.ok('POST', `/v2/workflows/${workflow}/events`)
        const { jobs } = await lab.ok('GET', `/v2/jobs?workflow_uid=${workflow}`)
        expect(new Set(jobs.map((job: { job_id: string }) => job.job_id)).size).toBe(120)
      })

      test('the page behind a job is for who may read it, and shows names as text', async () => {
        const name = `<script>alert('${lab.newName()}')</script>`
        const job = await lab.job(await lab.workflow(lab.document(name)), 'succeeded')
        const page = await lab.send('GET', `/jobs/details/${job}`, { headers: jwt(lab.root.token) })
        expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
        expect(page.headers['content-security-policy']).toContain("default-src 'none'")
        expect([page.status, page.text.includes('<script'), page.text.includes('&#60;script&#62;')]).toEqual([200, false, true])
        expect((await lab.send('GET', `/jobs/details/${job}`)).status).toBe(401)
        expect((await lab.as(lab.sam, 'GET', `/jobs/details/${job}`)).status).toBe(404)
      })

      test('what is stored as a secret is masked wherever a job is shown, and handed on as it is', async () => {
        await lab.app.system('secret.set', { name: 'key', value: 'hush-hush-42' })
        const workflow = await lab.workflow()
        const job = await lab.job(workflow, 'succeeded', { text: 'the key is hush-hush-42' })
        const shown = JSON.stringify([
          await lab.jobOf(job),
          await lab.ok('GET', `/v2/jobs/${job}/steps`),
          await lab.ok('GET', `/v2/jobs/${job}/artifacts`),
        ])
        expect(shown).not.toContain('hush-hush')
        expect(shown).toContain('got the key is ***')
        const rows = await lab.app.services.store.reader.steps.ofRun(job)
        expect(JSON.stringify(rows)).toContain('hush-hush-42')
        const steps = [{ id: 'start', type: 'api_trigger' }, artifact('Report', 'it is hush-hush-42')]
        const careless = await lab.workflow(lab.document(lab.newName(), { steps, paths: ['start>Report'] }))
        expect(JSON.stringify(await lab.ok('GET', `/v2/workflows/${careless}/export`))).toContain('it is ***')
      })
    })

    describe('workflows', () => {
      test('what stands against activating is told all at once, and nothing has changed', async () => {
        const steps = [
          { id: 'start', type: 'api_trigger' },
          { id: 'a', type: 'artifact', parameters: { type: 'markdown', input: { content: '{{[' } } },
          { id: 'b', type: 'nonsense' },
        ]
        const workflow = await lab.workflow(lab.document(lab.newName(), { steps, paths: ['start>a'] }), { active: false })
        const answer = await lab.as(lab.root, 'POST', `/v2/workflows/${workflow}/activate`)
        expect([answer.status, answer.json.status]).toEqual([400, 'BAD_REQUEST'])
        expect(answer.json.errors.length).toBeGreaterThan(1)
        expect((await lab.ok('GET', `/v2/workflows/${workflow}`)).status).toBe('draft')
      })

      test('are listed by name, state and type, and without their documents when asked so', async () => {
        const name = lab.newName()
        const active = await lab.workflow(lab.document(name))
        const drafted = await lab.workflow(lab.document(`${name} draft`), { active: false })
        const ids = async (query: string) =>
          (await lab.ok('GET', `/v2/workflows?${query}`)).workflows.map((one: { workflow_uid: string }) => one.workflow_uid)
        expect(await ids(`name=${name}`)).toEqual([active])
        expect(await ids('status=draft')).toContain(drafted)
        expect(await ids('status=draft')).not.toContain(active)
        expect(await ids('type=snippet')).toEqual([])
        expect(await ids(`desc=created_at&limit=2`)).toEqual([drafted, active])
        expect(await ids(`desc=created_at&limit=1&offset=1`)).toEqual([active])
        expect((await lab.ok('GET', '/v2/workflows?limit=1')).workflows[0].version.steps.length).toBeGreaterThan(0)
        for (const bad of ['status=gone', 'type=x', 'limit=x', 'asc=version'])
          expect((await lab.as(lab.root, 'GET', `/v2/workflows?${bad}`)).status, bad).toBe(400)
      })

      test('the active version goes on while a draft is changed; both are there to be read', async () => {
        const workflow = await lab.workflow()
        const before = await lab.ok('GET', `/v2/workflows/${workflow}`)
        const after = await lab.ok('PUT', `/v2/workflows/${workflow}`, { description: 'other' })
        expect(after).toMatchObject({ status: 'active', active_version_uid: before.active_version_uid, draft_version_uid: expect.any(String) })
        const { versions } = await lab.ok('GET', `/v2/workflows/${workflow}/versions`)
        expect(versions).toMatchObject([
          { number: 2, is_active: false, is_draft: true, created_by: { user_name: 'root' } },
          { number: 1, is_active: true, is_draft: false },
        ])
        expect(await lab.ok('GET', `/v2/workflows/${workflow}/versions/${versions[0].version_uid}`)).toMatchObject({ description: 'other', tags: [] })
        const tried = await lab.ok('POST', `/v2/workflows/${workflow}/test`, {})
        expect(await lab.jobOf(tried.job_id)).toMatchObject({ type: 'test', version_uid: versions[0].version_uid })
      })

      test('a file made elsewhere is imported, activated, run and exported again without loss', async () => {
        const file = JSON.parse(readFileSync(join(import.meta.dirname, 'testing-export.kom.json'), 'utf8'))
        const { workflows, warnings } = await lab.ok('POST', '/v2/workflows/import', file)
        expect([workflows.length, warnings]).toEqual([1, []])
        const [{ workflow_uid, status }] = workflows
        expect(status).toBe('draft')
        await lab.ok('POST', `/v2/workflows/${workflow_uid}/activate`)
        const job = await lab.job(workflow_uid, 'succeeded', { text: 'from elsewhere' })
        expect((await lab.ok('GET', `/v2/jobs/${job}/artifacts`)).artifacts[0].content).toBe('**from elsewhere**')
        const wrong = await lab.as(lab.root, 'POST', `/v2/workflows/${workflow_uid}/events`, { body: { text: 1 } })
        expect([wrong.status, wrong.json.message.includes('"text"')]).toEqual([400, true])
        const exported = await lab.ok('GET', `/v2/workflows/${workflow_uid}/export?format=kom`)
        // The trigger is a record of its own here, so its id is new in both places where it stands; and so are the ids of the workflow and its version.
        const [old, now] = [file.triggers[0].id, exported.triggers[0].id]
        const { workflow_id, workflow_version_id } = exported.workflows[0]
        const { active_version_uid } = await lab.ok('GET', `/v2/workflows/${workflow_uid}`)
        expect([workflow_id, workflow_version_id]).toEqual([workflow_uid, active_version_uid])
        const ids = [
          [now, old],
          [workflow_id, file.workflows[0].workflow_id],
          [workflow_version_id, file.workflows[0].workflow_version_id],
        ] as const
        const back = ids.reduce((text, [here, there]) => text.replaceAll(here, there), JSON.stringify(exported))
        expect(JSON.parse(back)).toEqual(file)
        const again = await lab.ok('POST', '/v2/workflows/import', exported)
        expect(again.workflows[0].name).toBe(`${workflows[0].name} (2)`)
        expect(again.warnings).toHaveLength(1)
      })
    })

    test('an address that nothing answers is refused in the words of this API, a method that it does not take with what it takes', async () => {
      for (const path of ['/v2', '/v2/', '/v2/nothing', '/v2/jobs//', '/v2//jobs', '/v2/jobs/a/b/c/d/e']) {
        const answer = await lab.as(lab.root, 'GET', path)
        expect([answer.status, answer.json.status], path).toEqual([404, 'NOT_FOUND'])
      }
      const answer = await lab.as(lab.root, 'PATCH', '/v2/workflows')
      expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, POST'])
      expect((await lab.as(lab.root, 'GET', '/v2/task/nothing')).json.error.code).toBe('route_not_found')
    })
  })
}

export { rulesSuite }
