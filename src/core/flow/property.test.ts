import { expect, test } from 'vitest'
import type { Json } from '../kernel/json.ts'
import { engineOf, statesOf } from './flow.suite.ts'
import type { Engine } from './flow.suite.ts'
import type { FlowGraph } from './graph.ts'
import { endOf, pick, randomFrom, randomGraph } from './random.suite.ts'
import type { Random } from './random.suite.ts'
import type { FlowRow } from './restore.ts'

const input: Json = { there: true, list: [1, 2, 3] }
const live = (engine: Engine) => [...engine.rows.values()].filter((row) => isWork(engine, row) && ['queued', 'running'].includes(row.state))

function isWork(engine: Engine, row: FlowRow): boolean {
  return engine.effects.some(
    (effect) => effect.do === 'create' && effect.key === row.key && effect.node.kind !== 'loop' && effect.node.kind !== 'scope',
  )
}

/** One event chosen at random: something starts, or something ends. False when nothing is alive. */
async function happen(engine: Engine, random: Random, seed: number): Promise<boolean> {
  const alive = live(engine)
  if (alive.length === 0) return false
  const row = pick(random, alive)
  if (row.state === 'queued' && random() < 0.4) {
    engine.rows.set(row.key, { ...row, state: 'running' })
    engine.log.push(`started ${row.key}`)
    await engine.take(await engine.flow.started(row.key))
  } else await engine.end(row.key, endOf(row.key, seed))
  return true
}

async function begun(graph: FlowGraph): Promise<Engine> {
  const engine = engineOf(graph, { batch: 7 })
  await engine.take(await engine.flow.start(input))
  return engine
}

/** Every node of a graph that was opened has exactly one row, ended. */
function expectWhole(engine: Engine, graph: FlowGraph, prefix = ''): void {
  for (const node of graph.nodes) {
    const key = prefix + node.id
    const row = engine.rows.get(key)
    expect(row, key).toBeDefined()
    expect(['queued', 'running'], key).not.toContain(row?.state)
    if (node.kind !== 'loop' && node.kind !== 'scope') continue
    const rounds = new Set(
      [...engine.rows.keys()].filter((other) => other.startsWith(`${key}/`)).map((other) => other.slice(key.length + 1).split('/')[0]),
    )
    for (const round of rounds) expectWhole(engine, node.body, `${key}/${round}/`)
  }
}

const seeds = Array.from({ length: 400 }, (_, at) => at + 1)

test('whatever the graph and the order of events, every node ends exactly once and the run finishes', async () => {
  for (const seed of seeds) {
    const graph = randomGraph(randomFrom(seed))
    const engine = await begun(graph)
    const random = randomFrom(seed * 7919)
    while (await happen(engine, random, seed));
    expect(engine.finished, `seed ${seed}`).not.toBeNull()
    expectWhole(engine, graph)
  }
})

test('the same events give the same effects', async () => {
  for (const seed of seeds.slice(0, 150)) {
    const logs = await Promise.all(
      [1, 2].map(async () => {
        const engine = await begun(randomGraph(randomFrom(seed)))
        const random = randomFrom(seed)
        while (await happen(engine, random, seed));
        return engine.log
      }),
    )
    expect(logs[0]).toEqual(logs[1])
  }
})

test('a graph never has more steps at work than it has places', async () => {
  for (const seed of seeds.slice(0, 150)) {
    const graph = { ...randomGraph(randomFrom(seed)), parallel: 2 }
    const engine = await begun(graph)
    const random = randomFrom(seed)
    do {
      const busy = graph.nodes.filter(({ id, kind }) => {
        const state = engine.rows.get(id)?.state
        return kind !== 'question' && kind !== 'timer' && (state === 'queued' || state === 'running')
      })
      expect(busy.length).toBeLessThanOrEqual(2)
    } while (await happen(engine, random, seed))
  }
})

// What the effects of an event were when the server was killed while it recorded them: `kept` of them are rows, the rest is lost.
async function crash(engine: Engine, graph: FlowGraph, rows: readonly FlowRow[], stop: { cleanup: boolean } | null): Promise<Engine> {
  const next = engineOf(graph, { batch: 7, rows })
  next.effects.push(...engine.effects.filter((effect) => effect.do === 'create' && next.rows.has(effect.key)))
  const options = { input, ...(stop && { stop }) }
  await next.take(await next.flow.restore(rows, options))
  return next
}

/** Rows after each single change, as a crash at that moment would leave them. */
function watched(engine: Engine): FlowRow[][] {
  const snapshots: FlowRow[][] = []
  const set = engine.rows.set.bind(engine.rows)
  engine.rows.set = (key, row) => {
    set(key, row)
    snapshots.push([...engine.rows.values()])
    return engine.rows
  }
  return snapshots
}

test('restored at any moment, even between two effects of one event, a run comes to the same end', async () => {
  let compared = 0
  for (const seed of seeds.slice(0, 120)) {
    const random = randomFrom(seed)
    // Whoever halts depends on who was first; and a join of any, on what else goes on meanwhile. What remains must come to the same end in every order.
    const graph = settled(randomGraph(random))
    const engine = engineOf(graph, { batch: 7 })
    const snapshots = watched(engine)
    await engine.take(await engine.flow.start(input))
    while (await happen(engine, random, seed));
    for (const rows of [[], ...snapshots.filter(() => random() < 0.3)]) {
      const again = await crash(engine, graph, rows, null)
      while (await happen(again, random, seed));
      expect(again.finished?.outcome, `seed ${seed} after ${rows.length} rows`).toBe(engine.finished?.outcome)
      expect(statesOf(again), `seed ${seed} after ${rows.length} rows`).toEqual(statesOf(engine))
      compared++
    }
  }
  expect(compared).toBeGreaterThan(500)
})

function settled(graph: FlowGraph): FlowGraph {
  const nodes = graph.nodes.map((node) => (node.kind === 'loop' || node.kind === 'scope' ? { ...node, body: settled(node.body) } : node))
  return { ...graph, on_error: 'edges', nodes }
}

test('restored between two events, a run gives nothing again and goes on as if nothing had been', async () => {
  for (const seed of seeds.slice(0, 150)) {
    const random = randomFrom(seed)
    const graph = randomGraph(random)
    const engine = await begun(graph)
    let other = engine
    const upright = randomFrom(seed + 5)
    const restored = randomFrom(seed + 5)
    do {
      const rows = [...other.rows.values()]
      const next = await crash(other, graph, rows, null)
      if (!other.finished) expect(next.log, `seed ${seed}`).toEqual([])
      other = next
      other.log.length = 0
      await happen(other, restored, seed)
    } while (await happen(engine, upright, seed))
    expect(statesOf(other), `seed ${seed}`).toEqual(statesOf(engine))
  }
})

test('stopped at any moment, with or without clean-up or a crash on the way, a run ends cancelled and whole', async () => {
  for (const seed of seeds.slice(0, 200)) {
    const random = randomFrom(seed)
    const graph = randomGraph(random)
    const engine = await begun(graph)
    while (random() < 0.7 && (await happen(engine, random, seed)));
    if (engine.finished) continue
    const stop = { cleanup: random() < 0.5 }
    await engine.take(await engine.flow.stop(stop))
    const before = engine.created.length
    let now = engine
    do {
      if (!now.finished && random() < 0.2) {
        const next = await crash(now, graph, [...now.rows.values()], stop)
        next.created.unshift(...now.created)
        now = next
      }
    } while (await happen(now, random, seed))
    expect(now.finished?.outcome, `seed ${seed}`).toBe('cancelled')
    expectWhole(now, graph)
    if (!stop.cleanup) expect(now.created.length, `seed ${seed}`).toBe(before)
  }
})
