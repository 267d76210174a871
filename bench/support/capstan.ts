import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createFakeRuntime } from '../../src/adapters/runtime/fake/runtime.ts'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { Closed, Type } from '../../src/core/kernel/schema.ts'
import { auditLineOf } from '../../src/core/operation/invoke.ts'
import { defineOperation } from '../../src/core/operation/operation.ts'
import { defaultPolicy } from '../../src/core/run/retry.ts'
import type { FlowGraph, WorkNode } from '../../src/core/flow/graph.ts'
import type { RunSource } from '../../src/core/run/source.ts'

// The whole server with one more operation: `bench.start` starts a run of `steps` no-ops, on the fake runtime or as real processes (`runtime: 'process'`).
// `bench.stall` tells the longest stall of the event loop since it was asked last. Configured by the environment as always. Prints one line when it is ready.

const source: RunSource = {
  kind: 'bench',
  place: (_services, run) => ({ runtime: String(run.spec.runtime), places: [{ gauge: 'target:bench', amount: 1, limit: 100_000 }] }),
  work: async (_services, run) => ({
    work: {
      command: ['/bin/sh', '-c', String(run.spec.script)],
      environment: {},
      code: null,
      image: null,
      limits: { cpu: null, memoryBytes: null, processes: null },
    },
    labels: {},
    secrets: [],
  }),
}

const start = defineOperation({
  name: 'bench.start',
  summary: 'Starts a run of steps that do nothing.',
  input: Closed({
    name: Type.String(),
    steps: Type.Integer({ minimum: 1, maximum: 10_000 }),
    width: Type.Optional(Type.Integer({ minimum: 1 })),
    runtime: Type.Optional(Type.String()),
    script: Type.Optional(Type.String()),
  }),
  output: Closed({ id: Type.String() }),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: { subject: (_, output) => `run:${output?.id ?? ''}` },
  example: { name: 'x', steps: 3 },
  run: async (ctx, input) => {
    const id = ctx.ids.opaque()
    const graph = input.width ? wide(input.steps, input.width) : chain(input.steps)
    const spec = { runtime: input.runtime ?? 'fake', script: input.script ?? 'exit 0' }
    const draft = { id, kind: 'bench', name: input.name, namespace: '', resourceId: null, spec, graph, input: null, unique: false }
    await ctx.services.engine.accept(ctx, draft, { audit: [auditLineOf(ctx, { id })] })
    return { id }
  },
})

const sampledMs = 1
// Begins when it is asked first: a thousand looks a second would show in everything else.
const delay = monitorEventLoopDelay({ resolution: sampledMs })

const stall = defineOperation({
  name: 'bench.stall',
  summary: 'The longest stall of the event loop since this was asked last.',
  input: Closed({}),
  output: Closed({ ms: Type.Number() }),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: {},
  run: async () => {
    const ms = delay.max / 1e6 - sampledMs
    delay.enable()
    delay.reset()
    return { ms: Math.max(0, ms) }
  },
})

function node(at: number): WorkNode {
  return { id: `n${at}`, kind: 'work', join: 'all', when: 'no-error', work: {}, policy: defaultPolicy }
}

function chain(steps: number): FlowGraph {
  const nodes = Array.from({ length: steps }, (_, at) => node(at))
  const edges = nodes.slice(1).map((_, at) => ({ from: `n${at}`, to: `n${at + 1}`, on: 'success' as const }))
  return { nodes, edges, parallel: null, on_error: 'halt' }
}

function wide(steps: number, parallel: number): FlowGraph {
  return { nodes: Array.from({ length: steps }, (_, at) => node(at)), edges: [], parallel, on_error: 'halt' }
}

const config = await loadConfig({ flags: [] })
const app = await createApp(config, {
  log: silentLog,
  runtimes: [createFakeRuntime({ clock: systemClock, knobs: { durationMs: Number(process.env.BENCH_FAKE_MS ?? 0) } })],
  operations: [start, stall],
  sources: [source],
})
const { address } = await app.listen()
process.stdout.write(`${address}\n`)
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
