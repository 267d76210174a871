import { describe, expect, test } from 'vitest'
import { engineOf, graphOf, loop, runOf, scope, statesOf, work } from './flow.suite.ts'
import type { Engine, Script } from './flow.suite.ts'
import type { FlowGraph } from './graph.ts'
import { keptRows } from './kept.ts'
import { pipelineGraph } from './pipeline.ts'

async function again(graph: FlowGraph, old: Engine, from: string, script?: Script): Promise<Engine> {
  const rows = keptRows(graph, [...old.rows.values()], from) ?? []
  const engine = engineOf(graph, { rows })
  await engine.take(await engine.flow.restore(rows, { input: {} }))
  await engine.run(script)
  return engine
}

describe('a run again from a step', () => {
  test('keeps what is not behind the step, and runs the rest', async () => {
    const graph = graphOf([work('a'), work('b'), work('c'), work('d'), work('e')], ['a > b', 'a > c', 'b > d', 'c > e'])
    const old = await runOf(graph)
    const engine = await again(graph, old, 'b')
    expect(engine.created).toEqual(['b', 'd'])
    expect(statesOf(engine)).toEqual(statesOf(old))
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('inside a loop keeps earlier rounds, drops later ones, and goes on from its round', async () => {
    const body = graphOf([work('x'), work('y'), work('beside')], ['x > y'])
    const graph = graphOf([work('a'), loop('l', { over: { times: 4 }, body, collect: 'steps.y.output' }), work('b')], ['a > l', 'l > b'])
    let n = 0
    const old = await runOf(graph, () => ({ state: 'succeeded', output: ++n }))
    const engine = await again(graph, old, 'l/3/y', (key) => ({ state: 'succeeded', output: `again ${key}` }))
    expect(engine.created).toEqual(['l/3/y', 'l/4/x', 'l/4/beside', 'l/4/y', 'b'])
    const [first, second] = ['l/1/y', 'l/2/y'].map((key) => old.rows.get(key)?.output)
    expect(engine.rows.get('l')?.output).toMatchObject({ rounds: 4, collected: [first, second, 'again l/3/y', 'again l/4/y'] })
  })

  test('inside a scope runs what is behind the step there, and behind the scope', async () => {
    const graph = graphOf([scope('s', graphOf([work('x'), work('y'), work('z')], ['x > y'])), work('b'), work('c')], ['s > b'])
    const engine = await again(graph, await runOf(graph), 's/0/y')
    expect(engine.created).toEqual(['s/0/y', 'b'])
  })

  test('of a pipeline runs again what only its failure had skipped, and the clean-up', async () => {
    const task = (name: string, dependance: string[] = [], run_if_error = false) => ({ name, dependance, run_if_error, draft: null })
    const graph = pipelineGraph([task('a'), task('b'), task('b2', ['b']), task('c', ['a']), task('clean', ['c', 'b2'], true)], { parallel: 2 })
    const old = await runOf(graph, (key) => (key === 'a' ? 'failed' : 'succeeded'))
    expect(old.rows.get('b2')?.state).toBe('skipped')
    const engine = await again(graph, old, 'a')
    expect(engine.finished?.outcome).toBe('succeeded')
    expect(statesOf(engine)).toEqual(['a succeeded', 'b succeeded', 'b2 succeeded', 'c succeeded', 'clean succeeded'])
  })

  test('runs failures again that nothing handled, and keeps those that were', async () => {
    const graph = graphOf([work('a'), work('bad'), work('handled'), work('mend')], ['handled !> mend'])
    const old = await runOf(graph, (key) => (key === 'bad' || key === 'handled' ? 'failed' : 'succeeded'))
    const engine = await again(graph, old, 'a')
    expect(engine.created).toEqual(['a', 'bad'])
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('is not possible from a step that did not run, or that the graph lacks', async () => {
    const graph = graphOf([work('a'), loop('l', { over: { times: 1 }, body: graphOf([work('x')]) })])
    const rows = [...(await runOf(graph)).rows.values()]
    for (const key of ['nobody', 'l/2/x', 'a/1/x', 'l/1', '']) expect(keptRows(graph, rows, key)).toBeNull()
    expect(keptRows(graphOf([work('b')]), rows, 'a')).toBeNull()
  })
})
