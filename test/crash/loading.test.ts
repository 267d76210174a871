import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// What a loading leaves in the store when the server is killed at each of its steps, and when the server was away for long.
let server: Server

beforeAll(async () => {
  server = await startServer()
  await server.admin.ok('repository.create', { path: 'lab', private: false })
  const tree = { ...shellTask('hello', 'true'), 'empty/code/run.sh': 'true' }
  const { code, err } = await pushTree(gitUrl(server.url, 'lab', server.admin), tree)
  if (code !== 0) throw new Error(err)
})
afterAll(() => server?.close())

const load = async (directory: string): Promise<string> =>
  (await server.nobody.request('POST', `/v2/task/load/configuration/from-git/lab/${directory}`)).json.work_id
const look = (id: string) => server.nobody.get(`/v2/task/get/configuration-loading-state/${id}`)
const hasEnded = (id: string) => until(`${id} has ended`, async () => ((await look(id)).json.finished_at === null ? null : (await look(id)).json))

/** Writes into the store of the server that is down. */
function store(text: string, ...values: (string | number | null)[]): void {
  const db = new DatabaseSync(join(server.data, 'capstan.db'))
  const { changes } = db.prepare(text).run(...values)
  db.close()
  expect(changes).toBe(1)
}

test('a loading that was cut off at any step is begun again, and ends as it would have', async () => {
  const steps = ['resolving', 'fetching', 'reading', 'validating']
  const left = [['pending', 'resolving'], ...steps.map((step) => ['running', step])] as [string, string][]
  const ids = await Promise.all(left.map((_, at) => load(at === 4 ? 'empty' : 'hello')))
  for (const id of ids) await hasEnded(id)
  await server.kill()
  for (const [at, [state, step]] of left.entries()) {
    const text = 'update loading set state = ?, step = ?, finished_at = null, configuration = null, error = null where id = ?'
    store(text, state, step, ids[at] ?? '')
  }
  await server.start()
  const ends = await Promise.all(ids.map(hasEnded))
  expect(ends.map(({ state, step, configuration, error }) => [state, step, configuration?.name ?? null, error?.code ?? null])).toEqual([
    ...Array(4).fill(['succeeded', 'done', 'hello', null]),
    ['failed', 'done', null, 'manifest_not_found'],
  ])
  // An end is never begun again.
  await server.kill()
  await server.start()
  expect(await Promise.all(ids.map(hasEnded))).toEqual(ends)
})

test('an outcome is kept for an hour after its end, over restarts too', async () => {
  const minute = 60_000
  const [kept, gone] = [await load('hello'), await load('hello')]
  for (const id of [kept, gone]) await hasEnded(id)
  await server.kill()
  store('update loading set finished_at = ? where id = ?', Date.now() - 59 * minute, kept)
  store('update loading set finished_at = ? where id = ?', Date.now() - 61 * minute, gone)
  await server.start()
  expect((await look(kept)).json.state).toBe('succeeded')
  const answer = await look(gone)
  expect([answer.status, answer.json.error?.code]).toEqual([404, 'work_not_found'])
})
