import { expect, test } from 'vitest'
import { EndedTasks } from './ended-tasks.ts'
import { projector } from '../kernel/schema.ts'
import { Task } from './task-view.ts'
import type { RunSummary } from '../../ports/store/runs.ts'
import type { Tables } from '../../ports/store/tables.ts'

function runOf(id: string, patch: Partial<RunSummary> = {}): RunSummary {
  const spec = {
    type: 'job',
    repository: 'r',
    directory: 'd',
    branch: 'b',
    commit: null,
    schedule: '',
    image: null,
    labels: { a: 'b' },
    generation: 1,
  }
  return {
    ...{ id, kind: 'task', name: id, namespace: 'weather', resource_id: null, state: 'succeeded', reason: null, message: null },
    ...{ parent_id: null, parent_step: null, retry_of: null, started_by: 'u', started_by_name: 'ann', active: false, listed: true },
    ...{ spec: { ...spec, pipeline_id: null, pipeline_name: null, cronjob: null }, owner: 's', fence: 1, version: 2 },
    ...{ created_at: 1, started_at: 2, finished_at: 3, deleted_at: null },
    ...patch,
  }
}

/** Reads from these runs, and tells which were read. */
function tablesOf(rows: readonly RunSummary[]) {
  const read: string[] = []
  const summaries = async (ids: readonly string[]) => {
    read.push(...ids)
    return rows.filter(({ id }) => ids.includes(id))
  }
  // All that is asked of the store.
  return { read, tables: { runs: { summaries }, steps: { summaries: async () => [] } } as unknown as Tables }
}

test('a task that has ended is read once for each version of it, one that is active each time', async () => {
  const ended = new EndedTasks({ largest: 1_000_000 })
  const [a, b] = [runOf('a'), runOf('b', { active: true, state: 'running' })]
  const first = tablesOf([a, b])
  const [seen] = await ended.views(first.tables, [a, b])
  expect(first.read).toEqual(['a', 'b'])
  const again = tablesOf([a, b])
  const views = await ended.views(again.tables, [b, a])
  expect(views.map(({ id }) => id)).toEqual(['b', 'a'])
  expect(again.read).toEqual(['b'])
  expect(views[1]).toBe(seen)
  const deleted = { ...a, version: 3, deleted_at: 9 }
  expect(await ended.views(tablesOf([deleted]).tables, [deleted])).toMatchObject([{ id: 'a', deleted: true }])
})

test('what is kept passes through the allow-list once, cannot be changed, and leaves out runs that are gone', async () => {
  const ended = new EndedTasks({ largest: 1_000_000 })
  const a = runOf('a')
  const [view] = await ended.views(tablesOf([a]).tables, [a, runOf('gone')])
  expect(projector(Task)(view)).toBe(view)
  expect(() => Object.assign(view ?? {}, { name: 'x' })).toThrow(TypeError)
  expect(() => Object.assign(view?.labels ?? {}, { a: 'x' })).toThrow(TypeError)
})

test('it stays within its bytes', async () => {
  const ended = new EndedTasks({ largest: 10_000 })
  const runs = Array.from({ length: 50 }, (_, at) => runOf(`r${at}`))
  expect(await ended.views(tablesOf(runs).tables, runs)).toHaveLength(50)
  const later = tablesOf(runs)
  expect(await ended.views(later.tables, runs)).toHaveLength(50)
  expect(later.read.length).toBeGreaterThan(40)
  expect(later.read.length).toBeLessThan(50)
})
