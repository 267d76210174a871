import type { Json } from '../kernel/json.ts'
import { graphProblems } from './check.ts'
import { createFlow } from './flow.ts'
import type { Flow, FlowOptions } from './flow.ts'
import type { FlowEdge, FlowGraph, FlowNode } from './graph.ts'
import type { Effect } from './machine.ts'
import type { FlowEnd, FlowRow } from './restore.ts'

/** A graph from short notation: nodes, and edges as `a > b`, `a !> b` (failure), `a *> b` (finished). */
export function graphOf(nodes: readonly FlowNode[], edges: readonly (string | FlowEdge)[] = [], options: Partial<FlowGraph> = {}): FlowGraph {
  return { nodes, edges: edges.map((edge) => (typeof edge === 'string' ? edgeOf(edge) : edge)), parallel: null, on_error: 'edges', ...options }
}

function edgeOf(text: string): FlowEdge {
  const [from = '', arrow = '', to = ''] = text.split(' ')
  return { from, to, on: arrow === '>' ? 'success' : arrow === '!>' ? 'failure' : 'finished' }
}

type Extra = { join?: 'all' | 'any'; when?: 'no-error' | 'always'; continue_on_failure?: boolean }

export const base = (id: string, extra: Extra = {}) => ({ id, join: 'all' as const, when: 'no-error' as const, ...extra })
export const policy = { retries: 0, retry_delay_ms: 0, retry_delay_max_ms: 0, timeout_ms: null, grace_ms: 10_000 }
export const work = (id: string, extra: Extra & { input?: Json } = {}): FlowNode => ({
  ...base(id),
  kind: 'work',
  work: { image: id },
  policy,
  ...extra,
})
export const pass = (id: string, output?: Json, extra: Extra = {}): FlowNode => ({
  ...base(id, extra),
  kind: 'pass',
  ...(output !== undefined && { output }),
})
export const scope = (id: string, body: FlowGraph, extra: Extra & { output?: Json } = {}): FlowNode => ({
  ...base(id),
  kind: 'scope',
  body,
  ...extra,
})

type LoopParts = Pick<Extract<FlowNode, { kind: 'loop' }>, 'over' | 'body'> & { max_rounds?: number; collect?: string; break_if?: string }
export const loop = (id: string, parts: LoopParts, extra: Extra = {}): FlowNode => ({
  ...base(id, extra),
  kind: 'loop',
  parallel: 1,
  max_rounds: 100_000,
  ...parts,
})

/** What a step of the engine does when it is created: how it ends, or `wait` for an end that the test reports itself. */
export type Script = (key: string, effect: Extract<Effect, { do: 'create' }>) => FlowEnd | 'wait' | { state: FlowEnd; output?: Json }

/** The smallest engine: it records every effect as a row, serves `read` from the rows, and remembers the order of everything. */
export type Engine = {
  readonly flow: Flow
  readonly rows: Map<string, FlowRow>
  /** `create a`, `end a failed`, `skip a not_taken`, `stop a`, `finish failed`, in the order of the effects. */
  readonly log: string[]
  readonly reads: string[]
  readonly effects: Effect[]
  readonly created: string[]
  finished: Extract<Effect, { do: 'finish' }> | null
  /** Records the effects of a call. */
  take(effects: readonly Effect[]): Promise<void>
  /** Reports an end, and records what follows. */
  end(key: string, state: FlowEnd, output?: Json): Promise<void>
  /** Ends what was created, by the script, in the order of creation, until nothing is left to end. */
  run(script?: Script): Promise<void>
}

export function engineOf(graph: FlowGraph, options: Partial<FlowOptions> & { rows?: Iterable<FlowRow>; checked?: boolean } = {}): Engine {
  const problems = options.checked === false ? [] : graphProblems(graph).filter((problem) => problem.severity !== 'warning')
  if (problems.length > 0) throw new Error(`The test's graph is wrong: ${JSON.stringify(problems[0])}`)
  const rows = new Map([...(options.rows ?? [])].map((row) => [row.key, row]))
  const queue: Extract<Effect, { do: 'create' }>[] = []
  const engine: Engine = {
    rows,
    log: [],
    reads: [],
    effects: [],
    created: [],
    finished: null,
    flow: createFlow(graph, {
      ...options,
      read: async (key) => {
        engine.reads.push(key)
        return rows.get(key)?.output
      },
    }),
    async take(effects) {
      for (const effect of effects) {
        engine.effects.push(effect)
        record(engine, effect, queue)
      }
      if (effects.at(-1)?.do === 'more') await engine.take(await engine.flow.more())
    },
    async end(key, state, output) {
      rows.set(key, { key, state, started: true, ...(output !== undefined && { output }) })
      engine.log.push(`ended ${key} ${state}`)
      await engine.take(await engine.flow.ended(key, { state, ...(output !== undefined && { output }) }))
    },
    async run(script = () => 'succeeded') {
      for (let effect = queue.shift(); effect; effect = queue.shift()) {
        if (rows.get(effect.key)?.state !== 'queued') continue
        const result = script(effect.key, effect)
        if (result === 'wait') continue
        if (typeof result === 'string') await engine.end(effect.key, result)
        else await engine.end(effect.key, result.state, result.output)
      }
    },
  }
  return engine
}

function record(engine: Engine, effect: Effect, queue: Extract<Effect, { do: 'create' }>[]): void {
  const { rows, log } = engine
  switch (effect.do) {
    case 'create':
      if (rows.has(effect.key)) throw new Error(`The step ${effect.key} was created twice`)
      engine.created.push(effect.key)
      log.push(`create ${effect.key}`)
      if (effect.node.kind === 'loop' || effect.node.kind === 'scope') rows.set(effect.key, { key: effect.key, state: 'running' })
      else {
        rows.set(effect.key, { key: effect.key, state: 'queued' })
        queue.push(effect)
      }
      break
    case 'end':
    case 'skip': {
      const before = rows.get(effect.key)
      if (before && !['queued', 'starting', 'running', 'waiting'].includes(before.state)) throw new Error(`The step ${effect.key} ended twice`)
      const state = effect.do === 'skip' ? 'skipped' : effect.state
      log.push(effect.do === 'skip' ? `skip ${effect.key} ${effect.reason}` : `end ${effect.key} ${state}`)
      const output = effect.do === 'end' ? { output: effect.output } : {}
      rows.set(effect.key, { ...before, key: effect.key, state, reason: effect.reason, ...output })
      break
    }
    case 'stop':
      log.push(`stop ${effect.key}`)
      break
    case 'finish':
      if (engine.finished) throw new Error('The run finished twice')
      engine.finished = effect
      log.push(`finish ${effect.outcome}`)
      break
    default: // `more` is no change of a row
  }
}

/** A started run with everything carried out by the script. */
export async function runOf(graph: FlowGraph, script?: Script, options: Partial<FlowOptions> & { input?: Json } = {}): Promise<Engine> {
  const engine = engineOf(graph, options)
  await engine.take(await engine.flow.start(options.input ?? {}))
  await engine.run(script)
  return engine
}

/** States of all rows as `key state`, sorted: what a run came to, however it got there. */
export function statesOf(engine: Engine): string[] {
  return [...engine.rows.values()].map((row) => `${row.key} ${row.state}`).sort()
}
