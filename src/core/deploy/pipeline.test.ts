import { expect, test } from 'vitest'
import { childName } from './pipeline-run.ts'
import { readPipeline } from './pipeline.ts'
import type { Json } from '../kernel/json.ts'

const task = (name: string, more: object = {}) => ({ name, namespacetask: `weather/${name}`, ...more })

async function problems(document: Json): Promise<string[]> {
  return (await readPipeline(document)).problems.map((problem) => `${problem.severity} ${problem.path} ${problem.code}`)
}

test('the example of the contract is read', async () => {
  const { definition, problems: found } = await readPipeline({
    name: 'weather_report',
    original: 'report',
    tasks: [
      task('start_db'),
      task('fetch', { dependance: ['start_db'] }),
      task('stop_db', { dependance: ['fetch'], 'run-if-error': true, env: [{ name: 'A', value: 'b' }] }),
    ],
  })
  expect(found).toEqual([])
  expect(definition?.tasks[2]).toEqual({
    name: 'stop_db',
    namespacetask: 'weather/stop_db',
    repository: 'weather',
    directory: 'stop_db',
    dependance: ['fetch'],
    runIfError: true,
    env: [{ name: 'A', value: 'b' }],
  })
})

test.each<[string, Json, string]>([
  ['no tasks', { name: 'a', tasks: [] }, 'error /tasks minItems'],
  ['no name', { tasks: [task('a')] }, 'error /name required'],
  [
    'a directory that is missing in namespacetask',
    { name: 'a', tasks: [{ name: 'x', namespacetask: 'weather' }] },
    'error /tasks/0/namespacetask pattern',
  ],
  ['two tasks of one name', { name: 'a', tasks: [task('x'), task('x')] }, 'error /tasks/1/name duplicate'],
  ['two tasks whose names meet after rule D', { name: 'a', tasks: [task('x_y'), task('x.y')] }, 'error /tasks/1/name duplicate'],
  ['an unknown dependency', { name: 'a', tasks: [task('x', { dependance: ['y'] })] }, 'error /tasks/0/dependance/0 unknown_task'],
  ['a task that waits for itself', { name: 'a', tasks: [task('x', { dependance: ['x'] })] }, 'error /tasks/0/dependance/0 self'],
  ['a cycle', { name: 'a', tasks: [task('x', { dependance: ['y'] }), task('y', { dependance: ['x'] })] }, 'error /tasks/0/dependance cycle'],
  ['a misspelt dependency', { name: 'a', tasks: [task('x', { depends_on: [] })] }, 'error /tasks/0/depends_on misspelt'],
  [
    'a variable twice',
    {
      name: 'a',
      tasks: [
        task('x', {
          env: [
            { name: 'A', value: '' },
            { name: 'A', value: '' },
          ],
        }),
      ],
    },
    'error /tasks/0/env/1/name duplicate',
  ],
])('%s is a problem', async (_, document, problem) => {
  expect(await problems(document)).toContain(problem)
})

test('the problem of a cycle lists it, and unknown members are only warned of', async () => {
  const { problems: found } = await readPipeline({
    name: 'a',
    note: 1,
    tasks: [task('x', { dependance: ['z'] }), task('y', { dependance: ['x'] }), task('z', { dependance: ['y'] })],
  })
  expect(found.find((problem) => problem.code === 'cycle')?.message).toMatch(/x → y → z → x/)
  expect(found.find((problem) => problem.severity === 'warning')?.path).toBe('/note')
})

test('the job of a task has the same name after every restart, and another one in every run', () => {
  const name = childName({ id: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', name: 'weather_report' }, 'start_db')
  expect(name).toBe('weather-report-start-db-f6a001')
  expect(childName({ id: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', name: 'x'.repeat(100) }, 'y'.repeat(100))).toHaveLength(63)
})
