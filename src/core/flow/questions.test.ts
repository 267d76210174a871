import { describe, expect, test } from 'vitest'
import type { Json } from '../kernel/json.ts'
import { base, engineOf, graphOf, pass, runOf, work } from './flow.suite.ts'
import type { FlowNode } from './graph.ts'

const question = (id: string, rest: Partial<Extract<FlowNode, { kind: 'question' }>> = {}): FlowNode =>
  ({ ...base(id), kind: 'question', ask: { text: 'Deploy?' }, timeout_ms: null, on_timeout: 'fail', ...rest }) as FlowNode // either form of time-out

describe('questions and timers', () => {
  test('a question waits as long as it takes, holds no place, and its answer is its output', async () => {
    const graph = graphOf([question('ask'), work('b'), pass('c', '{{steps.ask.output.approved}}')], ['ask > c'], { parallel: 1 })
    const engine = await runOf(graph, (key) => (key === 'ask' ? 'wait' : 'succeeded'))
    expect(engine.created).toEqual(['ask', 'b'])
    await engine.end('ask', 'succeeded', { approved: true })
    expect(engine.rows.get('c')?.output).toBe(true)
  })

  test('without an answer it fails, or goes on with its default and says so', async () => {
    const failing = await runOf(graphOf([question('ask', { timeout_ms: 5 }), work('b')], ['ask > b']), () => 'timed_out')
    expect(failing.finished).toMatchObject({ outcome: 'failed', failed: 'ask' })
    const timed = question('ask', { timeout_ms: 5, on_timeout: 'continue', default: { approved: false } })
    const going = engineOf(graphOf([timed, pass('c', '{{steps.ask.output}}')], ['ask > c']))
    await going.take(await going.flow.start({}))
    await going.end('ask', 'timed_out')
    expect(going.rows.get('c')?.output).toEqual({ approved: false, timed_out: true })
    expect(going.finished?.outcome).toBe('succeeded')
  })

  test('a halt leaves a question that waits alone', async () => {
    const engine = engineOf(graphOf([question('ask'), work('b')], [], { on_error: 'halt' }))
    await engine.take(await engine.flow.start({}))
    await engine.end('b', 'failed')
    expect(engine.rows.get('ask')?.state).toBe('queued')
    await engine.end('ask', 'succeeded', { approved: true })
    expect(engine.finished?.outcome).toBe('failed')
  })

  test('a stop ends questions and timers at once', async () => {
    const timer: FlowNode = { ...base('t'), kind: 'timer', delay: 1000 }
    const engine = engineOf(graphOf([question('ask'), timer]))
    await engine.take(await engine.flow.start({}))
    await engine.take(await engine.flow.stop({ cleanup: false }))
    expect(engine.log.slice(-3)).toEqual(['end ask cancelled', 'end t cancelled', 'finish cancelled'])
  })

  test.each<[string, object, Json | 'fails']>([
    ['a delay', { delay: 'input.ms * 2' }, { delay_ms: 3000 }],
    ['a moment as text', { until: "'2030-01-31T08:00:00Z'" }, { until: Date.UTC(2030, 0, 31, 8) }],
    ['a moment as a number', { until: 1_900_000_000_000 }, { until: 1_900_000_000_000 }],
    ['a negative delay', { delay: '-1' }, 'fails'],
    ['a delay of years', { delay: '1e15' }, 'fails'],
    ['a moment in words', { until: "'tomorrow'" }, 'fails'],
  ])('a timer with %s is worked out when it begins', async (_, when, expected) => {
    const engine = engineOf(graphOf([{ ...base('t'), kind: 'timer', ...when } as FlowNode])) // one of the two forms
    const [effect] = await engine.flow.start({ ms: 1500 })
    expect(effect).toMatchObject(expected === 'fails' ? { do: 'end', state: 'failed', reason: 'expression_failed' } : { do: 'create', due: expected })
  })
})
