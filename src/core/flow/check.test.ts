import { describe, expect, test } from 'vitest'
import { graphProblems } from './check.ts'
import { base, graphOf, loop, pass, policy, scope, work } from './flow.suite.ts'
import type { FlowGraph, FlowNode } from './graph.ts'
import { pipelineGraph } from './pipeline.ts'

const found = (graph: FlowGraph) => graphProblems(graph).map(({ path, code }) => `${path} ${code}`)
const question: FlowNode = { ...base('q'), kind: 'question', ask: {}, timeout_ms: 1, on_timeout: 'continue', default: { approved: true } }

describe('the check of a graph', () => {
  test('finds nothing wrong with a good one', () => {
    const body = graphOf([work('a'), pass('b', '{{steps.a.output}} {{steps.before.output}} {{previous.a.output ?? 0}}')], ['a > b'])
    const rounds = loop('l', { over: { while: 'defined(steps.b.output)' }, body, collect: 'steps.a.output', break_if: 'loop.index > 3' })
    const graph = graphOf([work('before'), rounds, scope('s', graphOf([work('x')]), { output: '{{steps.x.output}}' })], ['before > l', 'l > s'])
    expect(found(graph)).toEqual([])
    expect(found(graphOf([]))).toEqual([])
  })

  test('reports everything at once', () => {
    const bad: FlowNode = { ...base('a/b'), kind: 'work', work: 1, policy: { ...policy, retries: -1, timeout_ms: 0 } }
    const graph = graphOf([bad, work('x'), work('x'), work(''), work('\u202e'), work('y'.repeat(101)), question], ['x > nobody', 'ghost > x'], {
      parallel: 0,
    })
    expect(found(graph)).toEqual([
      '/nodes/0/id name',
      '/nodes/2/id duplicate',
      '/nodes/3/id name',
      '/nodes/4/id name',
      '/nodes/5/id name',
      '/parallel range',
      '/edges/0/to unknown',
      '/edges/1/from unknown',
      '/nodes/0/policy/retries range',
      '/nodes/0/policy/timeout_ms range',
      '/nodes/6/default/approved silent_approval',
    ])
  })

  test('lists the cycle, a node that waits for itself too, and every knot', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => work(id))
    const problems = graphProblems(graphOf(nodes, ['a > b', 'b > c', 'c > d', 'd > b', 'e > e', 'a > f']))
    expect(problems.map(({ code, message }) => `${code}: ${message}`)).toEqual(['cycle: form a cycle: b → c → d → b', 'cycle: form a cycle: e → e'])
    const task = (name: string, dependance: string[]) => ({ name, dependance, run_if_error: false, draft: null })
    expect(graphProblems(pipelineGraph([task('x', ['y']), task('y', ['x'])], { parallel: 2 }))[0]?.code).toBe('cycle')
  })

  test('a cycle of 9,000 nodes is found without running out of stack', () => {
    const nodes = Array.from({ length: 9000 }, (_, at) => work(`n${at}`))
    const problems = graphProblems(
      graphOf(
        nodes,
        nodes.map((_, at) => `n${at} > n${(at + 1) % 9000}`),
      ),
    )
    expect(problems.map(({ code }) => code)).toEqual(['cycle'])
  })

  test('counts nodes of all levels, and looks no further when there are too many', () => {
    const many = graphOf(Array.from({ length: 5001 }, (_, at) => pass(`n${at}`)))
    expect(found(graphOf([scope('a', many), scope('b', many)]))).toEqual(['/nodes too_many'])
  })

  test('refuses deep nesting', () => {
    let graph = graphOf([work('a')])
    for (let level = 0; level < 9; level++) graph = graphOf([scope('s', graph)])
    expect(graphProblems(graph).map(({ code }) => code)).toEqual(['too_deep'])
  })

  test('refuses loops without a bound or without a body, and timers without an end', () => {
    const timer: FlowNode = { ...base('t'), kind: 'timer', delay: 1e15 }
    const graph = graphOf([
      loop('l', { over: { times: 50 }, body: graphOf([]), max_rounds: 10 }),
      loop('m', { over: { times: 1 }, body: graphOf([work('a')]), max_rounds: 1e9 }),
      timer,
    ])
    expect(found(graph)).toEqual(['/nodes/0/over/times range', '/nodes/0/body/nodes empty', '/nodes/1/max_rounds range', '/nodes/2/delay range'])
  })

  test('reports expressions that do not parse, wherever they are', () => {
    const inner = loop('l', { over: { items: '1 +' }, body: graphOf([work('a', { input: '{{' })]), collect: ')', break_if: '' })
    const graph = graphOf([inner, pass('p', { a: ['{{nobody}}'] })], [{ from: 'l', to: 'p', on: 'success', if: '?' }])
    expect(found(graph)).toEqual([
      '/edges/0/if expression',
      '/nodes/0/over/items expression',
      '/nodes/0/collect expression',
      '/nodes/0/break_if expression',
      '/nodes/1/output expression',
      '/nodes/0/body/nodes/0/input expression',
    ])
  })

  test('refuses names of steps that are not there, or need not have ended by then', () => {
    const beside = graphOf([work('a'), work('b', { input: '{{steps.a.output}}' }), work('c', { input: '{{steps.z.output}}' })])
    expect(found(beside)).toEqual(['/nodes/1/input not_before', '/nodes/2/input unknown'])
    const itself = graphOf([work('a'), pass('b')], [{ from: 'a', to: 'b', on: 'success', if: 'steps.b.output' }])
    expect(found(itself)).toEqual(['/edges/0/if not_before'])
    const outside = graphOf(
      [work('later'), scope('s', graphOf([work('x', { input: '{{steps.later.output}}' })])), work('o', { input: '{{steps.x.output}}' })],
      ['s > later', 's > o'],
    )
    expect(found(outside)).toEqual(['/nodes/2/input unknown', '/nodes/1/body/nodes/0/input not_before'])
    expect(found(graphOf([work('a'), work('b', { input: '{{previous.a.output}}' })], ['a > b']))).toEqual(['/nodes/1/input unknown'])
  })

  test('warns of a failure edge behind a node that never looks failed', () => {
    const problems = graphProblems(graphOf([work('a', { continue_on_failure: true }), work('b')], ['a !> b']))
    expect(problems).toMatchObject([{ code: 'never_taken', severity: 'warning' }])
  })
})
