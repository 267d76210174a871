import { expect, test } from 'vitest'
import { engineOf, graphOf, runOf, work } from './flow.suite.ts'
import { graphProblems } from './check.ts'
import { stagesGraph } from './sequence.ts'

const graph = stagesGraph([
  { name: 'Build / all', items: [work('a'), work('b'), work('c')] },
  { name: 'empty', items: [] },
  { name: 'Deploy', items: [work('a'), work('d')] },
  { name: 'Deploy', items: [work('e')] },
])

test('stages run one after another, their items together', async () => {
  expect(graphProblems(graph)).toEqual([])
  const engine = engineOf(graph)
  await engine.take(await engine.flow.start({}))
  expect(engine.created).toEqual(['stage-1', 'stage-1/0/a', 'stage-1/0/b', 'stage-1/0/c'])
  await engine.end('stage-1/0/c', 'succeeded')
  await engine.end('stage-1/0/a', 'succeeded')
  expect(engine.created).toHaveLength(4)
  await engine.end('stage-1/0/b', 'succeeded')
  expect(engine.created.slice(4)).toEqual(['stage-3', 'stage-3/0/a', 'stage-3/0/d'])
  await engine.run()
  expect(engine.created.slice(7)).toEqual(['stage-4', 'stage-4/0/e'])
  expect(engine.finished?.outcome).toBe('succeeded')
})

test('a failed item keeps no other of its stage from running, but no later stage starts', async () => {
  const engine = await runOf(graph, (key) => (key === 'stage-1/0/a' ? 'failed' : 'succeeded'))
  expect(engine.rows.get('stage-1/0/c')?.state).toBe('succeeded')
  expect(engine.log.slice(-3)).toEqual(['skip stage-3 run_in_error', 'skip stage-4 run_in_error', 'finish failed'])
  expect(engine.finished?.failed).toBe('stage-1/0/a')
})

test('a stop lets nothing of a later stage start', async () => {
  const engine = engineOf(graph)
  await engine.take(await engine.flow.start({}))
  for (const key of ['a', 'b', 'c']) await engine.flow.started(`stage-1/0/${key}`)
  await engine.take(await engine.flow.stop({ cleanup: false }))
  for (const key of ['a', 'b', 'c']) await engine.end(`stage-1/0/${key}`, 'succeeded')
  expect(engine.log.slice(-2)).toEqual(['end stage-1 cancelled', 'finish cancelled'])
})

test('no stages at all are a run that has succeeded', async () => {
  expect((await runOf(stagesGraph([]))).finished?.outcome).toBe('succeeded')
  expect(stagesGraph([])).toEqual(graphOf([], [], { on_error: 'halt' }))
})
