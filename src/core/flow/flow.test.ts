import { describe, expect, test } from 'vitest'
import { createFlow } from './flow.ts'
import { base, engineOf, graphOf, loop, pass, runOf, scope, statesOf, work } from './flow.suite.ts'

describe('edges and joins', () => {
  const decision = graphOf(
    [pass('decide', { way: '{{input.way}}' }), work('left'), work('right'), work('joined', { join: 'any' })],
    [
      { from: 'decide', to: 'left', on: 'success', if: "steps.decide.output.way == 'left'" },
      { from: 'decide', to: 'right', on: 'success', if: "steps.decide.output.way == 'right'" },
      'left > joined',
      'right > joined',
    ],
  )

  test('a decision takes one branch, skips the other, and a join of any goes on once', async () => {
    const engine = await runOf(decision, undefined, { input: { way: 'right' } })
    expect(engine.log).toEqual([
      'end decide succeeded',
      'skip left not_taken',
      'create right',
      'ended right succeeded',
      'create joined',
      'ended joined succeeded',
      'finish succeeded',
    ])
  })

  test('when no branch is taken, everything behind is skipped and the run has succeeded', async () => {
    const engine = await runOf(decision, undefined, { input: { way: 'neither' } })
    expect(statesOf(engine)).toEqual(['decide succeeded', 'joined skipped', 'left skipped', 'right skipped'])
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('a join of any runs at the first taken edge and is not run again by the second', async () => {
    const engine = engineOf(graphOf([work('a'), work('b'), work('j', { join: 'any' })], ['a > j', 'b > j']))
    await engine.take(await engine.flow.start({}))
    await engine.end('b', 'succeeded')
    expect(engine.created).toEqual(['a', 'b', 'j'])
    await engine.end('j', 'succeeded')
    await engine.end('a', 'succeeded')
    expect(engine.created).toEqual(['a', 'b', 'j'])
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('a diamond waits for both sides; one dead side skips the join of all', async () => {
    const diamond = graphOf([work('a'), work('b'), work('c'), work('d')], ['a > b', 'a > c', 'b > d', 'c > d'])
    expect((await runOf(diamond)).created).toEqual(['a', 'b', 'c', 'd'])
    const broken = await runOf(diamond, (key) => (key === 'b' ? 'failed' : 'succeeded'))
    expect(statesOf(broken)).toEqual(['a succeeded', 'b failed', 'c succeeded', 'd skipped'])
    expect(broken.finished).toMatchObject({ outcome: 'failed', failed: 'b' })
  })

  test('a failure that an edge takes is handled; one that nothing takes fails the run', async () => {
    const graph = graphOf([work('a'), work('mend'), work('b')], ['a !> mend', 'a > b'])
    const handled = await runOf(graph, (key) => (key === 'a' ? 'failed' : 'succeeded'))
    expect(statesOf(handled)).toEqual(['a failed', 'b skipped', 'mend succeeded'])
    expect(handled.finished).toMatchObject({ outcome: 'succeeded', failed: null })
    const again = await runOf(graph, () => 'failed')
    expect(again.finished).toMatchObject({ outcome: 'failed', failed: 'mend' })
  })

  test('a failure edge whose condition is false handles nothing', async () => {
    const graph = graphOf([work('a'), work('mend')], [{ from: 'a', to: 'mend', on: 'failure', if: 'input.mend' }])
    const engine = await runOf(graph, () => 'failed', { input: { mend: false } })
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'a' })
  })

  test('an edge on finished is taken behind a skipped node', async () => {
    const engine = await runOf(graphOf([work('a'), work('b'), work('c')], ['a !> b', 'b *> c']))
    expect(statesOf(engine)).toEqual(['a succeeded', 'b skipped', 'c succeeded'])
  })

  test('continue_on_failure is followed as a success, in both kinds of graph', async () => {
    for (const on_error of ['halt', 'edges'] as const) {
      const engine = await runOf(graphOf([work('a', { continue_on_failure: true }), work('b')], ['a > b'], { on_error }), (key) =>
        key === 'a' ? 'failed' : 'succeeded',
      )
      expect(statesOf(engine)).toEqual(['a failed', 'b succeeded'])
      expect(engine.finished?.outcome).toBe('succeeded')
    }
  })

  test('a condition that cannot be told fails its target: neither way is taken silently', async () => {
    const graph = graphOf([work('a'), work('b'), work('c')], [{ from: 'a', to: 'b', on: 'success', if: 'steps.a.output.nothing == 1' }, 'a > c'])
    const engine = await runOf(graph, () => ({ state: 'succeeded', output: {} }))
    expect(statesOf(engine)).toEqual(['a succeeded', 'b failed', 'c succeeded'])
    expect(engine.effects.find((effect) => effect.do === 'end')).toMatchObject({ reason: 'condition_failed' })
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'b' })
  })

  test('a graph without nodes ends at once', async () => {
    expect((await runOf(graphOf([]))).finished?.outcome).toBe('succeeded')
  })
})

describe('values', () => {
  test('only the steps that an expression names are read', async () => {
    const graph = graphOf(
      [work('a'), work('b'), work('c', { input: { id: '{{steps.a.output.id}}', text: 'n{{steps.a.output.id}}' } })],
      ['a > b', 'b > c'],
    )
    const engine = await runOf(graph, (key) => ({ state: 'succeeded', output: key === 'a' ? { id: 7 } : {} }))
    expect(engine.effects.findLast((effect) => effect.do === 'create')).toMatchObject({ key: 'c', input: { id: 7, text: 'n7' } })
    expect(engine.reads).toEqual(['a'])
  })

  test('a step that has not ended is not there, and is not read', async () => {
    const graph = graphOf([work('fast'), work('slow'), pass('j', "{{steps.slow.output ?? 'not yet'}}", { join: 'any' })], ['fast > j', 'slow > j'])
    const engine = await runOf(graph, (key) => (key === 'slow' ? 'wait' : 'succeeded'))
    expect(engine.rows.get('j')?.output).toBe('not yet')
    expect(engine.reads).toEqual([])
  })

  test('an input that cannot be filled fails its step without handing it to the engine', async () => {
    const engine = await runOf(graphOf([work('a', { input: '{{input.missing}}' }), work('b')], ['a > b']))
    expect(engine.log).toEqual(['end a failed', 'skip b not_taken', 'finish failed'])
    expect(engine.effects[0]).toMatchObject({ reason: 'expression_failed', message: expect.stringContaining('input["missing"] is not there') })
  })

  test('what is opaque is never filled', async () => {
    const draft = { command: 'echo {{input.x}}' }
    const engine = engineOf(graphOf([{ ...base('a'), kind: 'run', draft }]))
    const [effect] = await engine.flow.start({})
    expect(effect).toMatchObject({ do: 'create', input: null, node: { draft } })
  })

  test('a name inside a scope means the nearest step of that name', async () => {
    const inner = graphOf([pass('x', 'inner'), pass('y', '{{steps.x.output}} {{steps.z.output}}')], ['x > y'])
    const graph = graphOf([pass('x', 'outer'), pass('z', 'z'), scope('s', inner, { output: '{{steps.y.output}}' })], ['x > s', 'z > s'])
    const engine = await runOf(graph)
    expect(engine.rows.get('s')?.output).toBe('inner z')
    expect([...engine.rows.keys()]).toEqual(['x', 'z', 's', 's/0/x', 's/0/y'])
  })

  test('when a row cannot be read the call rejects, and so does every later one', async () => {
    const graph = graphOf([work('a'), work('b', { input: '{{steps.a.output}}' }), work('c')], ['a > c', 'c > b'])
    const flow = createFlow(graph, { read: async () => Promise.reject(new Error('gone')) })
    await flow.start({})
    await flow.ended('a', { state: 'succeeded' })
    await expect(flow.ended('c', { state: 'succeeded' })).rejects.toThrow('gone')
    await expect(flow.ended('b', { state: 'succeeded' })).rejects.toThrow('restore')
  })
})

describe('scopes', () => {
  test('a scope fails when its body does, and names the innermost step; its edges decide what follows', async () => {
    const deep = scope('outer', graphOf([scope('inner', graphOf([work('a')])), work('beside')]))
    const failing = await runOf(graphOf([deep, work('b')], ['outer > b']), (key) => (key.endsWith('/a') ? 'failed' : 'succeeded'))
    expect(failing.finished).toMatchObject({ outcome: 'failed', failed: 'outer/0/inner/0/a' })
    expect(failing.rows.get('outer/0/beside')?.state).toBe('succeeded')
    expect(failing.rows.get('b')?.state).toBe('skipped')
    const mended = await runOf(graphOf([deep, work('b')], ['outer !> b']), (key) => (key.endsWith('/a') ? 'failed' : 'succeeded'))
    expect(mended.finished?.outcome).toBe('succeeded')
  })

  test('a halt in a body does not reach the graph around it, nor the other way round', async () => {
    const body = graphOf([work('bad'), work('late'), work('later')], ['late > later'], { on_error: 'halt' })
    const engine = engineOf(graphOf([scope('s', body), work('beside')], [], { on_error: 'edges' }))
    await engine.take(await engine.flow.start({}))
    await engine.flow.started('s/0/late')
    await engine.end('s/0/bad', 'failed')
    await engine.end('s/0/late', 'succeeded')
    expect(engine.rows.get('s/0/later')?.state).toBe('skipped')
    expect(engine.rows.get('beside')?.state).toBe('queued')
  })

  test('a scope counts as one place, and its body counts its own', async () => {
    const body = graphOf([work('x'), work('y')], [], { parallel: 1 })
    const engine = engineOf(graphOf([scope('s', body), work('b')], [], { parallel: 1 }))
    await engine.take(await engine.flow.start({}))
    expect(engine.created).toEqual(['s', 's/0/x'])
    await engine.run()
    expect(engine.created).toEqual(['s', 's/0/x', 's/0/y', 'b'])
  })
})

describe('a stop', () => {
  test('ends open scopes and loops too, and begins no further round', async () => {
    const rounds = loop('l', { over: { times: 5 }, body: graphOf([work('a'), work('b')], ['a > b']) })
    const engine = engineOf(graphOf([rounds, work('after')], ['l > after']))
    await engine.take(await engine.flow.start({}))
    await engine.end('l/1/a', 'succeeded')
    await engine.flow.started('l/1/b')
    await engine.take(await engine.flow.stop({ cleanup: false }))
    await engine.end('l/1/b', 'cancelled')
    expect(engine.log.slice(-6)).toEqual([
      'create l/1/b',
      'stop l/1/b',
      'end after cancelled',
      'ended l/1/b cancelled',
      'end l cancelled',
      'finish cancelled',
    ])
  })

  test('with clean-up lets a clean-up that is at work go on, whole scopes of it too', async () => {
    const mop = scope('mop', graphOf([work('x'), work('y')], ['x > y']), { when: 'always' })
    const engine = engineOf(graphOf([work('a'), mop], []))
    await engine.take(await engine.flow.start({}))
    await engine.flow.started('a')
    await engine.take(await engine.flow.stop({ cleanup: true }))
    await engine.end('a', 'cancelled')
    await engine.end('mop/0/x', 'succeeded')
    await engine.end('mop/0/y', 'succeeded')
    expect(statesOf(engine)).toEqual(['a cancelled', 'mop succeeded', 'mop/0/x succeeded', 'mop/0/y succeeded'])
    expect(engine.finished?.outcome).toBe('cancelled')
  })
})

describe('calls', () => {
  test('ends of unknown steps, of ended ones and of what the flow does itself change nothing', async () => {
    const engine = await runOf(graphOf([work('a'), pass('p'), work('b')], ['a > p', 'p > b']), (key) => (key === 'b' ? 'wait' : 'succeeded'))
    for (const key of ['nobody', 'a', 'p', 'a/1/b', '', 'b/', '/', '__proto__']) expect(await engine.flow.ended(key, { state: 'failed' })).toEqual([])
    await engine.end('b', 'succeeded')
    expect(engine.finished?.outcome).toBe('succeeded')
    expect(await engine.flow.ended('b', { state: 'failed' })).toEqual([])
  })

  test('news of an earlier round, or of a scope that only the flow can end, change nothing', async () => {
    const engine = engineOf(graphOf([loop('l', { over: { times: 3 }, body: graphOf([work('a')]) }), scope('s', graphOf([work('a')]))]))
    await engine.take(await engine.flow.start({}))
    await engine.end('l/1/a', 'succeeded')
    for (const key of ['l/1/a', 'l/3/a', 'l/02/a', 's/1/a', 's', 'l']) expect(await engine.flow.ended(key, { state: 'failed' })).toEqual([])
    await engine.run()
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('calls that do not wait for each other are carried out in order', async () => {
    const graph = graphOf([work('a'), work('b'), pass('c', '{{input.n}}')], ['a > c', 'b > c'])
    const flow = createFlow(graph, { read: async () => undefined })
    const [, , last] = await Promise.all([flow.start({ n: 1 }), flow.ended('a', { state: 'succeeded' }), flow.ended('b', { state: 'succeeded' })])
    expect(last.map((effect) => effect.do)).toEqual(['end', 'finish'])
  })

  test('a large graph is handed out in batches that ask for more', async () => {
    const nodes = Array.from({ length: 2500 }, (_, at) => work(`n${at}`))
    const engine = engineOf(graphOf(nodes))
    const first = await engine.flow.start({})
    expect(first).toHaveLength(1001)
    expect(first.at(-1)).toEqual({ do: 'more' })
    await engine.take(first)
    expect(engine.created).toHaveLength(2500)
    await engine.run()
    expect(engine.finished?.outcome).toBe('succeeded')
  })

  test('10,000 nodes in a knotted graph are orchestrated in a fraction of a millisecond each', async () => {
    const nodes = Array.from({ length: 10_000 }, (_, at) => work(`n${at}`, { join: at % 3 === 0 ? 'any' : 'all' }))
    const edges = nodes.flatMap((_, at) => [1, 7, 40].filter((back) => at >= back).map((back) => `n${at - back} > n${at}`))
    const begun = performance.now()
    const engine = await runOf(graphOf(nodes, edges, { parallel: 32 }))
    expect(engine.finished?.outcome).toBe('succeeded')
    expect((performance.now() - begun) / nodes.length).toBeLessThan(1)
  })
})
