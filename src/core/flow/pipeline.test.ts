import { describe, expect, test } from 'vitest'
import { engineOf, runOf, statesOf } from './flow.suite.ts'
import type { Engine } from './flow.suite.ts'
import { pipelineGraph } from './pipeline.ts'
import type { PipelineTask } from './pipeline.ts'

const task = (name: string, dependance: string[] = [], run_if_error = false): PipelineTask => ({
  name,
  dependance,
  run_if_error,
  draft: { task: name },
})

// The pipeline of the contract, §7.4.
const weather = [
  task('start_db'),
  task('fetch', ['start_db']),
  task('clean', ['fetch']),
  task('chart', ['fetch']),
  task('publish', ['clean', 'chart']),
  task('stop_db', ['publish'], true),
]
const graph = pipelineGraph(weather, { parallel: 32 })

async function started(tasks: readonly PipelineTask[] = weather, parallel: number | null = 32): Promise<Engine> {
  const engine = engineOf(pipelineGraph(tasks, { parallel }))
  await engine.take(await engine.flow.start({}))
  return engine
}

describe('the example of the deploy contract, §7.4', () => {
  test('runs every task when all is well', async () => {
    const engine = await runOf(graph)
    expect(engine.created).toEqual(['start_db', 'fetch', 'clean', 'chart', 'publish', 'stop_db'])
    expect(engine.finished).toEqual({ do: 'finish', outcome: 'succeeded', failed: null, reason: null })
  })

  test('when clean fails while chart runs, chart finishes, publish is skipped, stop_db runs, the pipeline is failed', async () => {
    const engine = await started()
    await engine.end('start_db', 'succeeded')
    await engine.end('fetch', 'succeeded')
    await engine.flow.started('chart')
    await engine.flow.started('clean')
    await engine.end('clean', 'failed')
    expect(engine.log.at(-1)).toBe('ended clean failed')
    await engine.end('chart', 'succeeded')
    expect(engine.log.slice(-2)).toEqual(['skip publish run_in_error', 'create stop_db'])
    await engine.end('stop_db', 'succeeded')
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'clean', reason: 'step_failed' })
  })

  test('when start_db fails, fetch, clean, chart and publish are skipped and stop_db runs', async () => {
    const engine = await runOf(graph, (key) => (key === 'start_db' ? 'failed' : 'succeeded'))
    expect(statesOf(engine)).toEqual(['chart skipped', 'clean skipped', 'fetch skipped', 'publish skipped', 'start_db failed', 'stop_db succeeded'])
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'start_db' })
  })
})

describe('a pipeline in error', () => {
  test('starts nothing without run-if-error in any branch, and skips at once what has no dependencies', async () => {
    const engine = await started([task('a'), task('b'), task('c'), task('d', ['b'])], 2)
    expect(engine.created).toEqual(['a', 'b'])
    await engine.flow.started('b')
    await engine.end('a', 'failed')
    // c waited for a free place.
    expect(engine.log.at(-1)).toBe('skip c run_in_error')
    await engine.end('b', 'succeeded')
    expect(engine.log.slice(-2)).toEqual(['skip d run_in_error', 'finish failed'])
  })

  test('takes back a task that was created and waits to be started, but none that has started', async () => {
    const engine = await started([task('a'), task('waits'), task('runs')])
    await engine.flow.started('runs')
    await engine.end('a', 'lost')
    expect(engine.log.slice(-1)).toEqual(['skip waits run_in_error'])
    expect(await engine.flow.ended('waits', { state: 'succeeded' })).toEqual([])
    await engine.end('runs', 'succeeded')
    expect(engine.finished?.outcome).toBe('failed')
  })

  test('never lets a clean-up overtake the work that it cleans up after', async () => {
    // `clean_up` hangs on a task that will be skipped; skipping it waits for `long`.
    const engine = await started([task('long'), task('broken'), task('next', ['long']), task('clean_up', ['next'], true)])
    await engine.flow.started('long')
    await engine.end('broken', 'failed')
    expect(engine.created).not.toContain('clean_up')
    await engine.end('long', 'succeeded')
    expect(engine.log.slice(-2)).toEqual(['skip next run_in_error', 'create clean_up'])
  })

  test('stays failed after a clean-up that succeeded, and a failed clean-up does not keep another from running', async () => {
    const engine = await runOf(pipelineGraph([task('a'), task('c1', ['a'], true), task('c2', ['c1'], true)], { parallel: null }), (key) =>
      key === 'c2' ? 'succeeded' : 'failed',
    )
    expect(statesOf(engine)).toEqual(['a failed', 'c1 failed', 'c2 succeeded'])
    expect(engine.finished).toMatchObject({ outcome: 'failed', failed: 'a' })
  })

  test.each(['failed', 'timed_out', 'lost', 'cancelled'] as const)('is what a task that ended as %s puts it in', async (state) => {
    const engine = await runOf(graph, (key) => (key === 'fetch' ? state : 'succeeded'))
    expect(engine.rows.get('clean')?.state).toBe('skipped')
    expect(engine.finished?.outcome).toBe('failed')
  })
})

describe('places', () => {
  test('at most `parallel` tasks are handed out at once, in definition order', async () => {
    const engine = await started(
      Array.from({ length: 7 }, (_, at) => task(`t${at}`)),
      3,
    )
    expect(engine.created).toEqual(['t0', 't1', 't2'])
    await engine.end('t1', 'succeeded')
    expect(engine.created.slice(3)).toEqual(['t3'])
    await engine.run()
    expect(engine.created).toEqual(['t0', 't1', 't2', 't3', 't4', 't5', 't6'])
  })

  test('a task that becomes ready later goes before one that is defined after it', async () => {
    const engine = await started([task('a'), task('b', ['a']), task('c'), task('d')], 1)
    await engine.end('a', 'succeeded')
    expect(engine.created).toEqual(['a', 'b'])
  })

  test('500 tasks in a chain and 500 side by side end in moments', async () => {
    const names = Array.from({ length: 500 }, (_, at) => `t${at}`)
    const chain = await runOf(
      pipelineGraph(
        names.map((name, at) => task(name, at === 0 ? [] : [`t${at - 1}`])),
        { parallel: 32 },
      ),
    )
    expect(chain.created).toEqual(names)
    const wide = await runOf(
      pipelineGraph(
        names.map((name) => task(name)),
        { parallel: 32 },
      ),
      (key) => (key === 't499' ? 'failed' : 'succeeded'),
    )
    expect(wide.created).toHaveLength(500)
    expect(wide.finished).toMatchObject({ outcome: 'failed', failed: 't499' })
  })
})

describe('a kill', () => {
  test('starts nothing new, cancels what waits, stops what runs, and the pipeline is cancelled when all has ended', async () => {
    const engine = await started()
    await engine.end('start_db', 'succeeded')
    await engine.end('fetch', 'succeeded')
    await engine.flow.started('clean')
    await engine.take(await engine.flow.stop({ cleanup: false }))
    expect(engine.log.slice(-4)).toEqual(['stop clean', 'end chart cancelled', 'end publish cancelled', 'end stop_db cancelled'])
    await engine.end('clean', 'cancelled')
    expect(engine.finished).toMatchObject({ outcome: 'cancelled', reason: 'run_stopped' })
    expect(engine.created).not.toContain('stop_db')
  })

  test('with clean-up, tasks with run-if-error still run, after everything that ran has ended', async () => {
    const engine = await started([task('a'), task('b'), task('after_a', ['a'], true), task('last', ['after_a'], true), task('never', ['a'])])
    await engine.flow.started('a')
    await engine.flow.started('b')
    await engine.take(await engine.flow.stop({ cleanup: true }))
    expect(engine.log.slice(-3)).toEqual(['stop a', 'stop b', 'end never cancelled'])
    await engine.end('a', 'cancelled')
    expect(engine.created).not.toContain('after_a')
    await engine.end('b', 'cancelled')
    expect(engine.log.at(-1)).toBe('create after_a')
    await engine.end('after_a', 'succeeded')
    await engine.end('last', 'succeeded')
    expect(engine.finished).toMatchObject({ outcome: 'cancelled' })
  })

  test('only the first order counts', async () => {
    const engine = await started()
    await engine.flow.started('start_db')
    await engine.take(await engine.flow.stop({ cleanup: false }))
    expect(await engine.flow.stop({ cleanup: true })).toEqual([])
    await engine.end('start_db', 'cancelled')
    expect(engine.rows.get('stop_db')?.state).toBe('cancelled')
    expect(await engine.flow.stop({ cleanup: false })).toEqual([])
  })
})
