import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { scheduleChanged } from '../../core/run/schedule.ts'
import { job } from './deploy-lab.suite.ts'
import type { Answer, DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** Cron jobs over the wire, on a clock that the tests set. */
export function cronSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: cron jobs`, () => {
    const minute = 60_000
    const hour = 60 * minute
    const clock = movedClock(systemClock)
    let lab: DeployLab
    let ann: Person
    let bob: Person

    beforeAll(async () => {
      lab = await open({ clock, config: { maxRunningPerNamespace: 50, maxQueuedPerNamespace: 50 } })
      ann = await lab.person('ann')
      bob = await lab.person('bob')
      await lab.repository(
        'weather',
        {
          'nightly/manifest.json': { ...job, name: 'nightly', schedule: '15 2 * * *', labels: 'app:x' },
          'nightly/code/run.sh': 'true\n',
          'fetch/manifest.json': job,
        },
        { owner: ann.principal },
      )
    })
    afterAll(() => lab.close())

    const errorOf = (answer: Answer) => [answer.status, answer.json.error?.code]
    const stateOf = async (id: unknown) => (await lab.get(null, `/v1/task/state/${id}`)).json

    /** Lets somebody be the first in a namespace. */
    const allow = (where: DeployLab, user: string, namespace: string) =>
      where.system('grant.set', { to: `user:${user}`, on: `namespace:${namespace}`, level: 'admin' })

    /** A cron job of one line, in a namespace of its own. */
    async function cron(name: string, more: object = {}, schedule = '* * * * *'): Promise<Answer> {
      const configuration = JSON.stringify({ type: 'job', name, cmd: ['/bin/true'], schedule, ...more })
      await allow(lab, 'ann', name)
      return lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: name, configuration })
    }

    /** Sets the clock to one second after the next full minute (and some more), and lets the scheduler look. */
    function tick(ms = 0): number {
      const now = clock.now()
      clock.move(minute - (now % minute) + 1000 + ms)
      scheduleChanged(lab.services.store)
      return Math.floor(clock.now() / minute)
    }

    /** The jobs of a namespace once they fulfil a condition. */
    async function jobsOf(namespace: string, condition: (jobs: Job[]) => boolean, what: string): Promise<Job[]> {
      const { jobs } = await lab.when(`/v1/list/tasks/${namespace}`, ({ jobs }) => condition(jobs as Job[]), what)
      return jobs as Job[]
    }
    type Job = { id: string; name: string; state: string; cronjob: string | null }

    const remove = (name: string) => lab.get(ann, `/v1/delete/cronjob/${name}/${name}`)
    const settled = async (id: string, slot: number) => {
      const slotMs = slot * minute
      await expect
        .poll(async () => (await lab.services.store.reader.schedules.byId(id))?.last_slot ?? 0, { timeout: 5000 })
        .toBeGreaterThanOrEqual(slotMs)
    }

    describe('a cron job', () => {
      test('is made by a schedule in the manifest, and shown by its state and the lists', async () => {
        const answer = await lab.get(ann, '/v1/task/deploy/weather/nightly')
        expect(answer.json).toMatchObject({
          type: 'cronjob',
          state: 'scheduled',
          name: 'nightly',
          schedule: '15 2 * * *',
          generation: 1,
          replaced: false,
        })
        expect(await stateOf(answer.json.id)).toMatchObject({
          type: 'cronjob',
          state: 'scheduled',
          next_schedule_time: expect.stringMatching(/T02:15:00\.000Z$/),
          last_schedule_time: null,
          created_by: 'ann',
        })
        const { cronJobs } = (await lab.get(null, '/v1/list/tasks/weather')).json
        expect(cronJobs).toMatchObject([{ id: answer.json.id, name: 'nightly', suspended: false, active: [], labels: { app: 'x' } }])
      })

      test('is updated in place by another deploy: same id, next generation, also when nothing is different', async () => {
        const first = await cron('again', {}, '@daily')
        const second = await cron('again', {}, '@daily')
        expect(second.json).toMatchObject({ id: first.json.id, generation: 2, replaced: true })
        const third = await cron('again', {}, '0 3 * * *')
        expect(third.json).toMatchObject({ id: first.json.id, generation: 3, schedule: '0 3 * * *' })
      })

      test('is made by the form, whose schedule wins, and needs a name of at most 52 characters', async () => {
        const url = '/v2/task/elaborate/deploy/weather/nightly'
        expect((await lab.post(ann, url, { namespace: 'forms', schedule: '@hourly' })).json).toMatchObject({ type: 'cronjob', schedule: '@hourly' })
        expect((await lab.post(ann, url, { namespace: 'forms', name: 'kept', schedule: '' })).json).toMatchObject({ schedule: '15 2 * * *' })
        expect((await lab.post(ann, '/v2/task/elaborate/deploy/weather/fetch', { namespace: 'forms', schedule: '0 1 * * *' })).json.type).toBe(
          'cronjob',
        )
        expect(errorOf(await lab.post(ann, url, { namespace: 'forms', name: 'x'.repeat(53) }))).toEqual([400, 'invalid_name'])
        expect((await lab.post(ann, url, { namespace: 'forms', name: 'x'.repeat(52) })).status).toBe(200)
        const long = JSON.stringify({ ...job, name: 'y'.repeat(53), schedule: '@daily' })
        const named = await lab.post(ann, '/v2/task/deploy/with-configuration', { namespace: 'forms', configuration: long })
        expect(errorOf(named)).toEqual([422, 'manifest_invalid'])
      })

      test('and a job may share a name', async () => {
        await lab.post(ann, '/v2/task/elaborate/deploy/weather/fetch', { namespace: 'shared', name: 'both', schedule: '@daily' })
        expect((await lab.post(ann, '/v2/task/elaborate/deploy/weather/fetch', { namespace: 'shared', name: 'both' })).json).toMatchObject({
          type: 'job',
        })
      })

      test('a repetition with one key is the first answer again, whatever was deployed since', async () => {
        const url = '/v2/task/elaborate/deploy/weather/nightly'
        const payload = new URLSearchParams({ namespace: 'repeated' }).toString()
        const headers = { 'content-type': 'application/x-www-form-urlencoded', 'idempotency-key': 'cron-1' }
        const send = (more: object = {}) => lab.request(ann, 'POST', url, { headers: { ...headers, ...more }, payload })
        const answers = await Promise.all([send(), send(), send()])
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
        await send({ 'idempotency-key': 'cron-2' })
        const again = await send()
        expect(again.text).toBe(answers[0]?.text)
        expect(again.headers['idempotency-replayed']).toBe('true')
        const other = await lab.request(ann, 'POST', url, { headers, payload: 'namespace=elsewhere' })
        expect(errorOf(other)).toEqual([422, 'idempotency_key_reuse'])
      })
    })

    describe('an occurrence', () => {
      test('is one job named after its minute, and says whose it is', async () => {
        const { json } = await cron('named')
        const at = tick()
        const [only] = await jobsOf('named', (jobs) => jobs[0]?.state === 'succeeded', 'the job')
        expect(only).toMatchObject({ name: `named-${at}`, cronjob: 'named' })
        expect(await stateOf(json.id)).toMatchObject({ last_schedule_time: new Date(at * minute).toISOString() })
        expect(await stateOf(only?.id)).toMatchObject({ type: 'job', schedule: '', created_by: 'ann', next_schedule_time: null })
        await remove('named')
      })

      test('of those that were missed only the latest is made up, and the rhythm goes on', async () => {
        await cron('missed')
        const at = tick(hour)
        await jobsOf('missed', (jobs) => jobs.length === 1 && jobs[0]?.name === `missed-${at}`, 'the latest')
        const next = tick()
        const jobs = await jobsOf('missed', (found) => found.length === 2, 'the next')
        expect(jobs.map(({ name }) => name)).toEqual([`missed-${at}`, `missed-${next}`])
        await remove('missed')
      })

      test('never starts twice, when the clock goes back an hour, forward again, or the server starts anew', async () => {
        const { json } = await cron('once')
        const id = String(json.id)
        const at = tick()
        await jobsOf('once', (jobs) => jobs.length === 1, 'the first')
        await settled(id, at)
        clock.move(-hour)
        scheduleChanged(lab.services.store)
        // Whoever deploys it now plans it for minutes that may have been fired.
        await cron('once', {}, '*/1 * * * *')
        tick()
        tick()
        clock.move(hour - 2 * minute)
        const next = tick()
        await settled(id, next)
        for (const slot of [at, next]) await lab.system('schedule.start-occurrence', { schedule: id, minute: slot }).catch(() => null)
        const { items } = await lab.system<{ items: { name: string }[] }>('run.list', { namespace: 'once', limit: 100 })
        const names = items.map(({ name }) => name)
        expect(new Set(names).size).toBe(names.length)
        expect(names).toEqual(expect.arrayContaining([`once-${at}`]))
        await remove('once')
      })

      test('only the last three that succeeded and the last that failed stay listed; all are read by their id', async () => {
        await cron('history')
        const ids = new Set<string>()
        for (let round = 0; round < 5; round++) {
          const at = tick()
          const jobs = await jobsOf(
            'history',
            (found) => found.some(({ name, state }) => name === `history-${at}` && state === 'succeeded'),
            'its end',
          )
          for (const { id } of jobs) ids.add(id)
        }
        const jobs = await jobsOf('history', (found) => found.length === 3, 'three to be left')
        expect(ids.size).toBe(5)
        for (const id of ids) expect((await stateOf(id)).state).toBe('succeeded')
        expect(jobs.every(({ state }) => state === 'succeeded')).toBe(true)
        await remove('history')
      })

      test('waits for its place as any job does, and says so', async () => {
        const small = await open({ clock, config: { maxRunningPerNamespace: 1, maxQueuedPerNamespace: 1 }, knobs: { behaviour: 'hang' } })
        try {
          const carl = await small.person('carl')
          await allow(small, 'carl', 'full')
          const configuration = JSON.stringify({ type: 'job', name: 'full', cmd: ['x'], schedule: '* * * * *' })
          const { json } = await small.post(carl, '/v2/task/deploy/with-configuration', { namespace: 'full', configuration })
          const step = () => {
            clock.move(minute)
            scheduleChanged(small.services.store)
          }
          const count = (n: number) => small.when('/v1/list/tasks/full', ({ jobs }) => (jobs as Job[]).length === n, `${n} jobs`)
          step()
          await count(1)
          step()
          const { jobs } = await count(2)
          const waiting = (jobs as Job[]).find(({ state }) => state === 'pending')
          expect((await small.get(null, `/v1/task/state/${waiting?.id}`)).json).toMatchObject({ reason: 'waiting_for_quota' })
          step()
          const full = await small.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === 'quota_exceeded', 'the third to be left out')
          expect(full.state).toBe('scheduled')
        } finally {
          await small.close()
        }
      })
    })

    describe('the rights of an occurrence', () => {
      test('are those of whoever deployed it last, and of now: without them its job fails and says why', async () => {
        await cron('rights')
        await lab.as(ann.principal, 'grant.set', { to: 'user:bob', on: 'namespace:rights', level: 'write' })
        const configuration = JSON.stringify({ type: 'job', name: 'rights', cmd: ['/bin/false'], schedule: '* * * * *' })
        const { json } = await lab.post(bob, '/v2/task/deploy/with-configuration', { namespace: 'rights', configuration })
        expect(json).toMatchObject({ generation: 2, created_by: 'bob' })
        tick()
        await jobsOf('rights', (jobs) => jobs[0]?.state === 'succeeded', 'bob’s')
        await lab.as(ann.principal, 'grant.set', { to: 'user:bob', on: 'namespace:rights', level: 'read' })
        const at = tick()
        const jobs = await jobsOf('rights', (found) => found.some(({ name, state }) => name === `rights-${at}` && state === 'failed'), 'the refusal')
        const failed = await stateOf(jobs.find(({ state }) => state === 'failed')?.id)
        expect(failed).toMatchObject({ state: 'failed', created_by: 'bob', message: expect.stringContaining('namespace:rights') })
        await remove('rights')
      })

      test('somebody who is gone or disabled starts nothing, visibly', async () => {
        const eve = await lab.person('eve')
        await allow(lab, 'eve', 'orphan')
        const configuration = JSON.stringify({ type: 'job', name: 'orphan', cmd: ['/bin/true'], schedule: '* * * * *' })
        await lab.post(eve, '/v2/task/deploy/with-configuration', { namespace: 'orphan', configuration })
        await lab.system('user.disable', { user: 'eve' })
        const at = tick()
        const jobs = await jobsOf('orphan', (found) => found[0]?.state === 'failed', 'the failure')
        expect(jobs[0]?.name).toBe(`orphan-${at}`)
        expect((await stateOf(jobs[0]?.id)).message).toMatch(/not active/)
        await lab.system('user.delete', { user: 'eve' })
        tick()
        await jobsOf('orphan', (found) => found.length === 1 && found[0]?.state === 'failed' && found[0].name !== `orphan-${at}`, 'the next failure')
        await lab.system('task.delete', { namespace: 'orphan', name: 'orphan', type: 'cronjob' })
      })
    })

    describe('while an earlier one runs', () => {
      let slow: DeployLab
      let dan: Person
      beforeAll(async () => {
        slow = await open({ clock, knobs: { behaviour: 'hang' } })
        dan = await slow.person('dan')
      })
      afterAll(() => slow.close())

      const deploy = async (name: string, policy: string) => {
        await allow(slow, 'dan', name)
        return slow.post(dan, '/v2/task/deploy/with-configuration', {
          namespace: name,
          configuration: JSON.stringify({
            type: 'job',
            name,
            cmd: ['x'],
            schedule: '* * * * *',
            'concurrency-policy': policy,
            'termination-grace-seconds': 1,
          }),
        })
      }
      const step = () => {
        clock.move(minute - (clock.now() % minute) + 500)
        scheduleChanged(slow.services.store)
        return Math.floor(clock.now() / minute)
      }
      const when = async (name: string, condition: (jobs: Job[]) => boolean, what: string) =>
        (await slow.when(`/v1/list/tasks/${name}`, ({ jobs }) => condition(jobs as Job[]), what)).jobs as Job[]
      const running = (jobs: Job[], name: string) => jobs.some((found) => found.name === name && found.state === 'running')

      test('Allow starts the next one beside it', async () => {
        await deploy('allow', 'Allow')
        const [a, b] = [step(), 0]
        await when('allow', (jobs) => running(jobs, `allow-${a}`), 'the first')
        const second = step()
        const jobs = await when('allow', (found) => running(found, `allow-${second}`), 'the second')
        expect([jobs.length, b]).toEqual([2, 0])
        const { cronJobs } = (await slow.get(null, '/v1/list/tasks/allow')).json
        expect(cronJobs).toMatchObject([{ active: [`allow-${a}`, `allow-${second}`] }])
        const gone = await slow.get(dan, '/v1/delete/cronjob/allow/allow')
        expect(gone.json).toMatchObject({ kind: 'cronjob', name: 'allow', deleted: true, deleted_jobs: [`allow-${a}`, `allow-${second}`] })
      })

      test('Forbid leaves the next one out, and the cron job says so until one starts again', async () => {
        const { json } = await deploy('forbid', 'Forbid')
        const first = step()
        await when('forbid', (jobs) => running(jobs, `forbid-${first}`), 'the first')
        step()
        const state = await slow.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === 'still_running', 'the word')
        expect(state).toMatchObject({ state: 'scheduled', message: expect.stringContaining(`forbid-${first}`) })
        expect((await when('forbid', () => true, '')).length).toBe(1)
        await slow.get(dan, `/v1/delete/job/forbid/forbid-${first}`)
        await expect.poll(async () => (await slow.services.store.reader.schedules.activeRuns([String(json.id)])).length, { timeout: 5000 }).toBe(0)
        const next = step()
        await when('forbid', (jobs) => running(jobs, `forbid-${next}`), 'the next')
        await slow.when(`/v1/task/state/${json.id}`, ({ reason }) => reason === null, 'no word')
        await slow.get(dan, '/v1/delete/cronjob/forbid/forbid')
      })

      test('Replace stops it first, and others go on meanwhile', async () => {
        await deploy('replace', 'Replace')
        const first = step()
        await when('replace', (jobs) => running(jobs, `replace-${first}`), 'the first')
        const second = step()
        const jobs = await when('replace', (found) => running(found, `replace-${second}`), 'the second')
        expect(jobs.find(({ name }) => name === `replace-${first}`)).toMatchObject({ state: 'killed' })
        await slow.get(dan, '/v1/delete/cronjob/replace/replace')
      })
    })

    describe('a deleted cron job', () => {
      test('starts nothing after the answer, keeps its record, leaves the lists and frees its name', async () => {
        const { json } = await cron('gone')
        expect(errorOf(await lab.get(bob, '/v1/delete/cronjob/gone/gone'))).toEqual([403, 'forbidden'])
        expect((await lab.get(ann, '/v1/delete/cronjob/Gone/GONE')).json).toEqual({
          ...{ kind: 'cronjob', namespace: 'gone', name: 'gone', id: json.id, deleted: true, deleted_jobs: [] },
        })
        const at = tick()
        expect(await stateOf(json.id)).toMatchObject({ state: 'deleted', next_schedule_time: null })
        expect((await lab.get(null, '/v1/list/tasks/gone')).json).toMatchObject({ jobs: [], cronJobs: [] })
        expect(errorOf(await remove('gone'))).toEqual([404, 'cronjob_not_found'])
        expect(errorOf(await lab.get(ann, '/v1/delete/cronjob/nowhere/gone'))).toEqual([404, 'namespace_not_found'])
        const row = await lab.services.store.reader.schedules.byId(String(json.id))
        expect(row?.next_at).toBeNull()
        // Even a server that read it before cannot start an occurrence of it.
        const late = lab.system('schedule.start-occurrence', { schedule: String(json.id), minute: at })
        await expect(late).rejects.toMatchObject({ code: 'not_found' })
        const next = await cron('gone')
        expect(next.json).toMatchObject({ replaced: false, generation: 1 })
        expect(next.json.id).not.toBe(json.id)
        await remove('gone')
      })
    })

    describe('a schedule, natively', () => {
      type Schedule = { id: string; name: string; suspended: boolean; next_at: string | null; started_as: string }

      test('is listed, read by its name, suspended and resumed by who may write its namespace', async () => {
        await cron('native')
        const schedule = 'native/native'
        const { items } = await lab.as<{ items: Schedule[] }>(ann.principal, 'schedule.list', { namespace: 'native' })
        expect(items).toMatchObject([{ name: 'native', expression: '* * * * *', started_as: 'ann', suspended: false }])
        expect(await lab.as(ann.principal, 'schedule.get', { schedule })).toMatchObject({ id: items[0]?.id })
        await expect(lab.as(bob.principal, 'schedule.get', { schedule })).rejects.toMatchObject({ code: 'not_found' })
        await expect(lab.as(bob.principal, 'schedule.suspend', { schedule })).rejects.toMatchObject({ code: 'not_found' })
        expect(await lab.as(ann.principal, 'schedule.suspend', { schedule })).toMatchObject({ suspended: true, next_at: null })
        const at = tick(hour)
        expect(await stateOf(items[0]?.id)).toMatchObject({ state: 'scheduled', reason: 'suspended', next_schedule_time: null })
        // The store itself refuses an occurrence that was under way when the order came.
        await lab.system('schedule.start-occurrence', { schedule, minute: at })
        expect((await lab.get(null, '/v1/list/tasks/native')).json.jobs).toEqual([])
        await lab.as(ann.principal, 'schedule.resume', { schedule })
        const next = tick()
        const jobs = await jobsOf('native', (found) => found.length > 0, 'the next one')
        expect(jobs.map(({ name }) => name)).toEqual([`native-${next}`])
        await remove('native')
      })
    })

    test('a server that was down makes up the latest occurrence only, once', async () => {
      const first = await open({ clock })
      const fay = await first.person('fay')
      await allow(first, 'fay', 'down')
      const configuration = JSON.stringify({ type: 'job', name: 'down', cmd: ['x'], schedule: '* * * * *' })
      await first.post(fay, '/v2/task/deploy/with-configuration', { namespace: 'down', configuration })
      await first.stop()
      clock.move(hour)
      for (let start = 0; start < 3; start++) {
        const again = await open({ clock, folder: first.folder })
        const { jobs } = await again.when('/v1/list/tasks/down', (json) => (json.jobs as Job[]).length > 0, 'the occurrence')
        const names = (jobs as Job[]).map(({ name }) => name)
        expect(new Set(names).size).toBe(names.length)
        // Minutes may pass while this runs, hours do not.
        expect(names.length).toBeLessThanOrEqual(start + 1)
        await (start < 2 ? again.stop() : again.close())
      }
    })
  })
}
