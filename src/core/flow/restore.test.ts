import { describe, expect, test } from 'vitest'
import { engineOf, graphOf, loop, pass, scope, work } from './flow.suite.ts'
import type { Engine } from './flow.suite.ts'
import type { FlowGraph } from './graph.ts'
import type { FlowRow } from './restore.ts'

async function restored(graph: FlowGraph, rows: readonly FlowRow[], stop?: { cleanup: boolean }): Promise<Engine> {
  const engine = engineOf(graph, { rows })
  await engine.take(await engine.flow.restore(rows, { input: {}, ...(stop && { stop }) }))
  return engine
}

describe('after a crash', () => {
  test('what was recorded is taken as it is, and what was not is given again', async () => {
    const graph = graphOf([work('a'), work('b'), work('c')], ['a > b', 'a > c'])
    expect((await restored(graph, [])).log).toEqual(['create a'])
    expect((await restored(graph, [{ key: 'a', state: 'running' }])).log).toEqual([])
    expect((await restored(graph, [{ key: 'a', state: 'succeeded' }])).log).toEqual(['create b', 'create c'])
    const half = [{ key: 'a', state: 'succeeded' } as const, { key: 'c', state: 'queued' } as const]
    expect((await restored(graph, half)).log).toEqual(['create b'])
  })

  test('a run whose end alone was not recorded finishes', async () => {
    const engine = await restored(graphOf([work('a')]), [{ key: 'a', state: 'lost' }])
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'a' })
  })

  test('of two rounds the later one counts, whichever row comes first', async () => {
    const graph = graphOf([loop('l', { over: { times: 3 }, body: graphOf([work('a')]) })])
    const rows = [
      { key: 'l', state: 'running' },
      { key: 'l/2/a', state: 'running' },
      { key: 'l/1/a', state: 'succeeded' },
    ] as const
    for (const order of [rows, [...rows].reverse()]) {
      const engine = await restored(graph, order)
      expect(engine.log).toEqual([])
      await engine.end('l/2/a', 'succeeded')
      expect(engine.log.at(-1)).toBe('create l/3/a')
    }
  })

  test('a pass with a row that never ended is done again', async () => {
    expect((await restored(graphOf([pass('p', 1)]), [{ key: 'p', state: 'running' }])).log).toEqual(['end p succeeded', 'finish succeeded'])
  })

  test('a step between two attempts is not taken back by a halt, one that never started is', async () => {
    const graph = graphOf([work('bad'), work('retrying'), work('fresh')], [], { on_error: 'halt' })
    const rows = [
      { key: 'bad', state: 'failed' } as const,
      { key: 'retrying', state: 'queued', started: true } as const,
      { key: 'fresh', state: 'queued' } as const,
    ]
    expect((await restored(graph, rows)).log).toEqual(['skip fresh run_in_error'])
  })

  test('a stop that was ordered lets nothing start, and with clean-up what cleans up still runs', async () => {
    const graph = graphOf([work('a'), work('b'), work('mop', { when: 'always' })], ['a > b', 'b *> mop'])
    const rows = [{ key: 'a', state: 'running' } as const]
    expect((await restored(graph, rows, { cleanup: false })).log).toEqual(['stop a', 'end b cancelled', 'end mop cancelled'])
    const engine = await restored(graph, rows, { cleanup: true })
    expect(engine.log).toEqual(['stop a', 'end b cancelled'])
    await engine.end('a', 'cancelled')
    expect(engine.log.at(-1)).toBe('create mop')
  })

  test('what a stop cancelled before it started is followed as not run, what it ended as failed', async () => {
    const graph = graphOf(
      [work('waits'), work('ran'), work('mop', { when: 'always' }), work('mend', { when: 'always' })],
      ['waits !> mop', 'ran !> mend'],
    )
    const rows = [{ key: 'waits', state: 'cancelled' } as const, { key: 'ran', state: 'cancelled', started: true } as const]
    expect((await restored(graph, rows, { cleanup: true })).log).toEqual(['skip mop not_taken', 'create mend'])
  })

  test('rows of steps that the graph does not know are passed over', async () => {
    const graph = graphOf([work('a'), scope('s', graphOf([work('x')]))])
    const rows = ['nobody', 's/7', 's/0/nobody', 's/x/x', 'a/1/b', '', '/', '__proto__/1/constructor'].map((key) => ({
      key,
      state: 'failed' as const,
    }))
    expect((await restored(graph, rows)).created).toContain('a')
  })
})
