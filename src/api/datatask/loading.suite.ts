import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { everyoneId } from '../../core/kernel/builtin.ts'
import { job } from './deploy-lab.suite.ts'
import type { LoadingRow } from '../../ports/store/loading.ts'
import type { Answer, DeployLab, Labs, Person } from './deploy-lab.suite.ts'

/** Loadings, from their start to an hour after their end. */
export function loadingSuite({ store, open }: Labs): void {
  describe(`the Deploy API over ${store}: loadings`, () => {
    const clock = movedClock(systemClock)
    let lab: DeployLab
    let ann: Person

    const pipeline = { name: 'line', tasks: [{ name: 'a', namespacetask: 'weather/fetch' }] }
    const tree = {
      'fetch/manifest.json': job,
      'wrong/manifest.json': { type: 'jobs', cmd: 'x' },
      'broken/manifest.json': '{\n "type": "job",\n}',
      'list/manifest.json': '[1, 2]',
      'large/manifest.json': `{"name":"${'x'.repeat(1024 * 1024)}"}`,
      'line/pipeline.json': pipeline,
      'empty/readme.txt': '',
    }

    beforeAll(async () => {
      lab = await open({ clock })
      ann = await lab.person('ann')
      await lab.repository('weather', tree, { owner: ann.principal })
      await lab.repository('open', tree, { owner: ann.principal, private: false })
    })
    afterAll(() => lab.close())

    const begin = (kind: string, path: string, who: Person | null = ann, fields: Record<string, string> = {}) =>
      lab.post(who, `/v2/${kind}/load/configuration/from-git/${path}`, fields)
    const stateUrl = (kind: string, id: unknown) => `/v2/${kind}/get/configuration-loading-state/${id}`
    const errorOf = (answer: Answer) => [answer.status, answer.json.error?.code]

    async function load(kind: string, path: string, who: Person | null = ann, fields: Record<string, string> = {}) {
      const answer = await begin(kind, path, who, fields)
      expect(answer.status).toBe(200)
      return lab.until(stateUrl(kind, answer.json.work_id), ['succeeded', 'failed'])
    }

    describe('a loading', () => {
      test('is answered at once by its work_id of 32 hex digits, and ends with the file, its commit and an hour to fetch it', async () => {
        const { json } = await begin('task', 'weather/fetch')
        expect(json).toMatchObject({ kind: 'task', state: 'pending', repository: 'weather', directory: 'fetch', branch: 'master' })
        expect(json.work_id).toMatch(/^[0-9a-f]{32}$/)
        const end = await lab.until(stateUrl('task', json.work_id), ['succeeded'])
        expect(end).toMatchObject({ work_id: json.work_id, step: 'done', configuration: job, problems: [], error: null })
        expect(end.commit).toMatch(/^[0-9a-f]{40}$/)
        expect(Date.parse(String(end.expires_at)) - Date.parse(String(end.finished_at))).toBe(3_600_000)
        expect(await load('pipeline', 'weather/line')).toMatchObject({ kind: 'pipeline', state: 'succeeded', configuration: pipeline })
      })

      test('reports what is wrong with a file that can be read, for its reader to repair', async () => {
        const end = await load('task', 'weather/wrong')
        expect(end).toMatchObject({ state: 'succeeded', configuration: { type: 'jobs' }, error: null })
        const problems = end.problems as { path: string; severity: string }[]
        expect(problems.map(({ path }) => path)).toEqual(expect.arrayContaining(['/type', '/cmd']))
      })

      test.each([
        ['task', 'weather/none', 'directory_not_found'],
        ['task', 'weather/empty', 'manifest_not_found'],
        ['pipeline', 'weather/empty', 'pipeline_file_not_found'],
        ['task', 'nowhere/fetch', 'repository_not_found'],
        ['task', 'weather/broken', 'manifest_invalid'],
        ['task', 'weather/list', 'manifest_invalid'],
        ['task', 'weather/large', 'manifest_invalid'],
      ])('of a %s at %s fails with %s, in its state and not in its answer', async (kind, path, code) => {
        const end = await load(kind, path)
        expect(end).toMatchObject({ state: 'failed', configuration: null, error: { code, message: expect.any(String), details: expect.any(Object) } })
        expect(end.finished_at).not.toBeNull()
      })

      test('names line and column of a text that is no JSON', async () => {
        const { error } = await load('task', 'weather/broken')
        expect(JSON.stringify(error)).toContain('line 3')
        expect(error).toMatchObject({ message: expect.stringContaining('manifest.json has 1 problem') })
      })

      test('of a branch that was given and is not there fails; an implied one falls back', async () => {
        expect(await load('task', 'weather/fetch', ann, { branch: 'dev' })).toMatchObject({ error: { code: 'branch_not_found' } })
      })

      test('by nobody reads public repositories only; a private one looks as if it were missing', async () => {
        expect(await load('task', 'open/fetch', null)).toMatchObject({ state: 'succeeded' })
        const hidden = await load('task', 'weather/fetch', null)
        const missing = await load('task', 'nowhere/fetch', null)
        const error = (end: Record<string, unknown>) => JSON.stringify(end.error).replaceAll(/weather|nowhere/g, 'x')
        expect(error(hidden)).toBe(error(missing))
        expect(hidden).toMatchObject({ state: 'failed', error: { code: 'repository_not_found' }, commit: null })
      })

      test('refuses parameters that cannot be meant before it begins', async () => {
        expect(errorOf(await begin('task', 'weather/a%2F..%2Fb'))).toEqual([400, 'invalid_parameter'])
        expect(errorOf(await begin('task', 'weather.git/fetch'))).toEqual([400, 'invalid_parameter'])
        expect(errorOf(await begin('task', 'weather/fetch', ann, { branch: '-x' }))).toEqual([400, 'invalid_parameter'])
      })

      test('is found by its own kind only, and by nothing else than its id', async () => {
        const { json } = await begin('task', 'weather/fetch')
        expect(errorOf(await lab.get(ann, stateUrl('pipeline', json.work_id)))).toEqual([404, 'work_not_found'])
        expect(errorOf(await lab.get(ann, stateUrl('task', '0'.repeat(32))))).toEqual([404, 'work_not_found'])
        expect(errorOf(await lab.get(ann, stateUrl('task', 'a.b')))).toEqual([400, 'invalid_parameter'])
      })

      test('is gone an hour after its end', async () => {
        const { json } = await begin('task', 'weather/fetch')
        await lab.until(stateUrl('task', json.work_id), ['succeeded'])
        clock.move(3_599_000)
        expect((await lab.get(null, stateUrl('task', json.work_id))).status).toBe(200)
        clock.move(2000)
        expect(errorOf(await lab.get(ann, stateUrl('task', json.work_id)))).toEqual([404, 'work_not_found'])
      })
    })

    const unfinished = (id: string, more: Partial<LoadingRow> = {}): LoadingRow => ({
      id,
      kind: 'task',
      user_id: everyoneId,
      state: 'running',
      step: 'resolving',
      repository: 'open',
      directory: 'fetch',
      branch: null,
      commit: null,
      size: 0,
      created_at: clock.now(),
      finished_at: null,
      error: null,
      problems: [],
      configuration: null,
      ...more,
    })

    test('a loading that a stop or a kill cut off is begun again by the next start, with the rights of who asked', async () => {
      const first = await open()
      const eve = await first.person('eve')
      await first.repository('secretly', tree, { owner: eve.principal })
      const ids = ['1'.repeat(32), '2'.repeat(32)] as const
      await first.services.store.write(async ({ loadings }) => {
        await loadings.insert(unfinished(ids[0], { repository: 'secretly', user_id: eve.id }))
        await loadings.insert(unfinished(ids[1], { repository: 'secretly' }))
      })
      await first.stop()
      const second = await open({ folder: first.folder })
      try {
        expect(await second.until(stateUrl('task', ids[0]), ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded', configuration: job })
        expect(await second.until(stateUrl('task', ids[1]), ['succeeded', 'failed'])).toMatchObject({ error: { code: 'repository_not_found' } })
      } finally {
        await second.close()
      }
    })

    test('64 go on at once; one more is refused until one has ended, and a caller keeps a bounded number', async () => {
      const full = await open()
      try {
        await full.repository('open', tree, { private: false })
        const { store } = full.services
        const ids = Array.from({ length: 64 }, (_, at) => String(at).padStart(32, 'a'))
        await store.write(async ({ loadings }) => {
          for (const id of ids) await loadings.insert(unfinished(id))
        })
        const ask = () => full.post(null, '/v2/task/load/configuration/from-git/open/fetch')
        const refused = await ask()
        expect(errorOf(refused)).toEqual([503, 'overloaded'])
        expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
        const end = { state: 'succeeded', finished_at: Date.now(), size: 65 * 1024 * 1024 } as const
        await store.write(({ loadings }) => loadings.update(ids[0] ?? '', { ...end, size: 5 }))
        expect((await ask()).status).toBe(200)
        await store.write(({ loadings }) => loadings.update(ids[1] ?? '', end))
        expect(errorOf(await ask())).toEqual([429, 'quota_exceeded'])
        // An end is an end: nothing changes it any more.
        expect(await store.write(({ loadings }) => loadings.update(ids[1] ?? '', { state: 'failed' }))).toBe(false)
      } finally {
        await full.close()
      }
    })
  })
}
