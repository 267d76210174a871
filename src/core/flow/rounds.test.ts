import { describe, expect, test } from 'vitest'
import type { Json } from '../kernel/json.ts'
import { createFlow } from './flow.ts'
import { base, engineOf, graphOf, loop, pass, policy, runOf, statesOf, work } from './flow.suite.ts'
import type { FlowNode } from './graph.ts'

const one = graphOf([work('a')])

describe('a loop', () => {
  test('over a list has a round for each item, with loop.item, loop.index and loop.round', async () => {
    const body = graphOf([work('a', { input: '{{loop.round}}/{{loop.index}} {{loop.item.name}}' })])
    const engine = await runOf(graphOf([loop('l', { over: { items: 'input.list' }, body })]), undefined, {
      input: { list: [{ name: 'x' }, { name: 'y' }] },
    })
    expect(engine.created).toEqual(['l', 'l/1/a', 'l/2/a'])
    expect(engine.effects.flatMap((effect) => (effect.do === 'create' && effect.input !== null ? [effect.input] : []))).toEqual(['1/0 x', '2/1 y'])
    expect(engine.rows.get('l')?.output).toEqual({ rounds: 2, broke: false })
    expect(engine.effects[1]).toMatchObject({ key: 'l/1/a', scope: 'l', round: 1, order: 0, node: { id: 'a' } })
  })

  test('over an empty list has no round and succeeds; over anything else it fails', async () => {
    const graph = graphOf([loop('l', { over: { items: 'input' }, body: one })])
    expect((await runOf(graph, undefined, { input: [] })).log).toEqual(['create l', 'end l succeeded', 'finish succeeded'])
    expect((await runOf(graph, undefined, { input: { a: 1 } })).log).toEqual(['end l failed', 'finish failed'])
  })

  test('counts to a number or to what an expression gives', async () => {
    for (const times of [3, 'input.n']) {
      const engine = await runOf(graphOf([loop('l', { over: { times }, body: one })]), undefined, { input: { n: 3 } })
      expect(engine.rows.get('l')?.output).toMatchObject({ rounds: 3 })
    }
    expect((await runOf(graphOf([loop('l', { over: { times: 'input.n' }, body: one })]), undefined, { input: { n: 1.5 } })).finished?.outcome).toBe(
      'failed',
    )
  })

  test('goes on while its condition holds, which sees the round before', async () => {
    const over = { while: 'loop.index == 0 or steps.a.output.left > 0' }
    let left = 3
    const engine = await runOf(graphOf([loop('l', { over, body: one })]), () => ({ state: 'succeeded', output: { left: --left } }))
    expect(engine.rows.get('l')?.output).toMatchObject({ rounds: 3 })
  })

  test('breaks when told so, and collects a value of every round that ran', async () => {
    const graph = graphOf(
      [
        loop('l', { over: { times: 10 }, body: one, break_if: 'steps.a.output.n == 3', collect: '[loop.round, steps.a.output.n]' }),
        pass('sum', '{{length(steps.l.output.collected)}}'),
      ],
      ['l > sum'],
    )
    let n = 0
    const engine = await runOf(graph, () => ({ state: 'succeeded', output: { n: ++n } }))
    expect(engine.rows.get('l')?.output).toEqual({
      rounds: 3,
      broke: true,
      collected: [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    })
    expect(engine.rows.get('sum')?.output).toBe(3)
  })

  test('reads the round before with `previous`', async () => {
    const body = graphOf([pass('page', { n: '{{(previous.page.output.n ?? 0) + 1}}' })])
    const engine = await runOf(graphOf([loop('l', { over: { times: 3 }, body, collect: 'steps.page.output.n' })]))
    expect(engine.rows.get('l')?.output).toMatchObject({ collected: [1, 2, 3] })
  })

  test('fails with the first round that fails, unless the failure is handled inside', async () => {
    const graph = graphOf([loop('l', { over: { times: 3 }, body: one }), work('after')], ['l !> after'])
    const engine = await runOf(graph, (key) => (key === 'l/2/a' ? 'failed' : 'succeeded'))
    expect(engine.log).toContain('end l failed')
    expect(statesOf(engine)).toEqual(['after succeeded', 'l failed', 'l/1/a succeeded', 'l/2/a failed'])
    const patient = graphOf([loop('l', { over: { times: 3 }, body: graphOf([work('a', { continue_on_failure: true })]) })])
    expect((await runOf(patient, () => 'failed')).finished?.outcome).toBe('succeeded')
  })

  test('fails before its first round when it wants too many, and after the last one when only that shows it', async () => {
    const listed = await runOf(graphOf([loop('l', { over: { times: 'input' }, body: one, max_rounds: 2 })]), undefined, { input: 3 })
    expect(listed.log).toEqual(['create l', 'end l failed', 'finish failed'])
    const endless = await runOf(graphOf([loop('l', { over: { while: 'true' }, body: one, max_rounds: 2 })]))
    expect(endless.created).toEqual(['l', 'l/1/a', 'l/2/a'])
    expect(endless.effects.at(-2)).toMatchObject({ reason: 'too_many_rounds' })
  })

  test('nested in a loop sees the outer one as loop.parent, and rows are named by both rounds', async () => {
    const inner = loop('inner', {
      over: { items: 'loop.item' },
      body: graphOf([pass('p', '{{loop.parent.round}}.{{loop.item}}')]),
      collect: 'steps.p.output',
    })
    const outer = loop('outer', { over: { items: 'input' }, body: graphOf([inner]), collect: 'steps.inner.output.collected' })
    const engine = await runOf(graphOf([outer]), undefined, { input: [['a', 'b'], ['c']] })
    expect(engine.rows.get('outer')?.output).toMatchObject({ collected: [['1.a', '1.b'], ['2.c']] })
    expect(engine.rows.get('outer/2/inner/1/p')?.output).toBe('2.c')
    expect(engine.effects.find((effect) => 'key' in effect && effect.key === 'outer/2/inner/1/p')).toMatchObject({ scope: 'outer/2/inner', round: 1 })
  })

  test('waits between rounds with a timer in its body', async () => {
    const timer: FlowNode = { ...base('wait'), kind: 'timer', delay: 'loop.index == 0 ? 0 : 5000' }
    const engine = await runOf(graphOf([loop('l', { over: { times: 2 }, body: graphOf([timer, work('a')], ['wait > a']) })]))
    expect(engine.effects.flatMap((effect) => (effect.do === 'create' && effect.due ? [effect.due] : []))).toEqual([
      { delay_ms: 0 },
      { delay_ms: 5000 },
    ])
  })

  test('cannot outgrow the steps of a run, however its rounds are nested', async () => {
    const spin = (id: string, body: FlowNode): FlowNode => loop(id, { over: { times: 100_000 }, body: graphOf([body]) })
    const engine = await runOf(graphOf([spin('a', spin('b', pass('p')))]), undefined, { steps: 5000 })
    expect(engine.rows.size).toBeLessThan(5100)
    expect(engine.effects.find((effect) => effect.do === 'end' && effect.reason === 'too_many_steps')).toBeDefined()
    expect(engine.finished?.outcome).toBe('failed')
  })

  test('collects no more than the run can hold', async () => {
    const graph = graphOf([loop('l', { over: { times: 20 }, body: one, collect: 'steps.a.output' })])
    const engine = await runOf(graph, () => ({ state: 'succeeded', output: 'x'.repeat(1_000_000) }))
    expect(engine.effects.at(-2)).toMatchObject({ state: 'failed', reason: 'output_too_large' })
  })
})

describe('10,000 rounds', () => {
  const call: FlowNode = { ...base('a'), kind: 'call', operation: 'x.y', input: '{{loop.round}}', policy }

  // Nothing is kept here but the flow itself, so that what grows is the flow's.
  async function spin(rounds: number, sample: () => void): Promise<number> {
    const flow = createFlow(graphOf([loop('l', { over: { times: rounds }, body: graphOf([call, pass('b', '{{steps.a.output}}')], ['a > b']) })]), {
      read: async () => 1,
    })
    let effects = await flow.start({})
    let made = 0
    for (let key = 'l/1/a'; effects.at(-1)?.do !== 'finish'; ) {
      for (const effect of effects) if (effect.do === 'create') key = effect.key
      made++
      if (made % 500 === 0) sample()
      effects = await flow.ended(key, { state: 'succeeded', output: made })
    }
    return made
  }

  test('take linear time', async () => {
    await spin(2000, () => {})
    const time = async (rounds: number) => {
      const begun = performance.now()
      expect(await spin(rounds, () => {})).toBe(rounds)
      return performance.now() - begun
    }
    // Quadratic would be 16 times as long and more.
    expect((await time(40_000)) / (await time(10_000))).toBeLessThan(10)
  })

  test('take flat memory', async () => {
    const sizes: number[] = []
    const { setFlagsFromString } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void // there once the flag is set
    await spin(10_000, () => {
      collect()
      sizes.push(process.memoryUsage().heapUsed)
    })
    const [early = 0] = sizes.slice(2)
    expect((sizes.at(-1) ?? 0) - early).toBeLessThan(512 * 1024)
  })

  test('without any work are done in batches', async () => {
    const flow = createFlow(graphOf([loop('l', { over: { times: 10_000 }, body: graphOf([pass('p')]) })]), { read: async () => null })
    let effects = await flow.start({})
    let ends = 0
    let largest = 0
    for (; effects.at(-1)?.do === 'more'; effects = await flow.more()) {
      largest = Math.max(largest, effects.length)
      ends += effects.filter((effect) => effect.do === 'end').length
    }
    expect(largest).toBeLessThan(1100)
    expect(ends + effects.filter((effect) => effect.do === 'end').length).toBe(10_001)
    expect(effects.at(-1)).toMatchObject({ do: 'finish', outcome: 'succeeded' })
  })

  test('are restored from streamed rows, in any order, at the round where they were', async () => {
    const engine = engineOf(graphOf([loop('l', { over: { times: 20_000 }, body: one })]))
    async function* rows() {
      for (let round = 10_000; round > 0; round--) yield { key: `l/${round}/a`, state: 'succeeded' as const }
      yield { key: 'l', state: 'running' as const }
    }
    const effects = await engine.flow.restore(rows(), { input: {} as Json })
    expect(effects.map((effect) => ('key' in effect ? `${effect.do} ${effect.key}` : effect.do))).toEqual(['create l/10001/a'])
  })
})
