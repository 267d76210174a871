import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFakeRuntime } from '../../src/adapters/runtime/fake/runtime.ts'
import { createFileRunLog } from '../../src/adapters/run-log/files.ts'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { system } from '../../src/core/identity/principal.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { systemIds } from '../../src/core/kernel/id.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { EventHub } from '../../src/core/notify/event-hub.ts'
import { invoke } from '../../src/core/operation/invoke.ts'
import { createRegistry } from '../../src/core/operation/registry.ts'
import { Closed, Type } from '../../src/core/kernel/schema.ts'
import { defineOperation } from '../../src/core/operation/operation.ts'
import { runOperations } from '../../src/core/run/operations.ts'
import { RunEngine } from '../../src/core/run/engine.ts'
import { defaultPolicy } from '../../src/core/run/retry.ts'
import { isEnd } from '../../src/core/kernel/run-state.ts'
import type { FlowGraph, FlowNode, WorkNode } from '../../src/core/flow/graph.ts'
import type { Json } from '../../src/core/kernel/json.ts'
import type { Log } from '../../src/core/kernel/log.ts'
import type { Services } from '../../src/core/operation/services.ts'
import type { RunDraft } from '../../src/core/run/draft.ts'
import type { RunSource } from '../../src/core/run/source.ts'
import type { FakeKnobs, Runtime } from '../../src/ports/runtime.ts'
import type { RunRow, StepRow } from '../../src/ports/store/rows.ts'
import type { Place } from '../../src/ports/store/runs.ts'
import type { Store } from '../../src/ports/store/store.ts'

/** A kind of run for tests: a `work` node holds the knobs of the fake runtime, a `run` node a whole draft. */
export const probe: RunSource = {
  kind: 'probe',
  place(_services, run, node) {
    const places: Place[] = [{ gauge: 'target:fake', amount: 1, limit: limits.target }]
    if (run.namespace !== '') places.unshift({ gauge: `namespace:${run.namespace}`, amount: 1, limit: limits.namespace })
    const own = node.kind === 'work' ? (node.work as { runtime?: string }).runtime : undefined
    return { runtime: own ?? 'fake', places }
  },
  async work(_services, _run, _step, node) {
    const { secrets = [], ...fake } = node.work as FakeKnobs & { secrets?: string[]; runtime?: string }
    const limitsOfWork = { cpu: null, memoryBytes: null, processes: null }
    return { work: { command: ['/bin/true'], environment: {}, code: null, image: null, limits: limitsOfWork, fake }, labels: {}, secrets }
  },
  async child(_services, _run, node) {
    return node.draft as unknown as RunDraft
  },
}

export const limits = { namespace: 200, target: 1000 }

/** A `work` node on the fake runtime. */
export function work(id: string, knobs: FakeKnobs & { secrets?: string[] } = {}, more: Partial<WorkNode> = {}): WorkNode {
  return { id, kind: 'work', join: 'all', when: 'no-error', work: knobs as Json, policy: defaultPolicy, ...more }
}

export function graph(nodes: readonly FlowNode[], edges: FlowGraph['edges'] = [], more: Partial<FlowGraph> = {}): FlowGraph {
  return { nodes, edges, parallel: null, on_error: 'halt', ...more }
}

/** Nodes one after the other. */
export function chain(nodes: readonly FlowNode[]): FlowGraph {
  return graph(
    nodes,
    nodes.slice(1).map((node, at) => ({ from: (nodes[at] as FlowNode).id, to: node.id, on: 'success' as const })),
  )
}

let counter = 0

export function draft(flow: FlowGraph, more: Partial<RunDraft> = {}): RunDraft {
  return { kind: 'probe', name: `probe-${++counter}`, namespace: '', resourceId: null, spec: {}, graph: flow, input: null, unique: false, ...more }
}

const start = defineOperation({
  name: 'probe.start',
  summary: 'Starts a run for a test.',
  input: Closed({ draft: Type.Unknown(), options: Type.Optional(Type.Unknown()) }),
  output: Closed({ id: Type.String(), replayed: Type.Boolean(), replaced: Type.Boolean() }),
  access: 'signed-in',
  subjects: {},
  effect: 'act',
  audit: { subject: () => 'probe:probe' },
  example: { draft: {} },
  run: async (ctx, input) => {
    const accepted = await ctx.services.engine.accept(ctx, input.draft as RunDraft, (input.options ?? {}) as object)
    return { id: accepted.run.id, replayed: accepted.replayed, replaced: accepted.replaced }
  },
})

const echo = defineOperation({
  name: 'probe.echo',
  summary: 'Gives back what it is given.',
  input: Closed({ value: Type.Unknown() }),
  output: Closed({ value: Type.Unknown() }),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { value: 1 },
  run: async (_, input) => ({ value: input.value }),
})

export type EngineLab = Awaited<ReturnType<typeof engineLab>>

/** An engine over a real store in a folder of its own, with the fake runtime. `restart` forgets everything that is not stored, as a kill would. */
export async function engineLab(
  options: { openStore?: (folder: string) => Promise<Store>; runtimes?: readonly Runtime[]; log?: Log; shared?: boolean } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-engine-'))
  const openStore = options.openStore ?? ((where) => openSqliteStore({ folder: where, log: silentLog, clock: systemClock }))
  const fake = createFakeRuntime({ clock: systemClock })
  const runtimes = new Map([fake, ...(options.runtimes ?? [])].map((runtime) => [runtime.name, runtime]))
  let store = await openStore(folder)
  let server = await startServer()

  async function startServer() {
    const services = {
      settings: { outputLimitBytes: 1_000_000, retention: { deployDays: 14, workflowDays: 90, keep: 100_000 } },
      registry: createRegistry([...runOperations, start, echo]),
      clock: systemClock,
      ids: systemIds,
      log: options.log ?? silentLog,
      store,
      runtimes,
      runLog: createFileRunLog({ root: join(folder, 'logs') }),
      events: new EventHub('lab'),
      refusals: { note: () => {} },
      stopping: new AbortController().signal,
      get engine() {
        return engine
      },
    } as unknown as Services // what the engine never touches (git, secrets, sign-in) is not there
    const identity = { id: systemIds.record(), host: 'lab', boot: 'lab', shared: options.shared ?? false }
    const engine: RunEngine = new RunEngine({ services: () => services, sources: [probe], server: identity })
    await engine.start()
    return { services, engine }
  }

  const call = { principal: system, origin: { via: 'test', peer: '', requestId: 'test' } }
  const lab = {
    folder,
    fake,
    get services() {
      return server.services
    },
    get engine() {
      return server.engine
    },
    get store() {
      return store
    },
    invoke: <T>(operation: string, input: unknown) => invoke<T>(server.services, call, operation, input),
    start: (flow: RunDraft, accept: object = {}) =>
      lab.invoke<{ id: string; replayed: boolean; replaced: boolean }>('probe.start', { draft: flow, options: accept }),
    run: async (id: string) => (await store.reader.runs.byId(id)) as RunRow,
    steps: (id: string) => store.reader.steps.ofRun(id),
    async ended(id: string, seconds = 20): Promise<{ run: RunRow; steps: StepRow[] }> {
      await until(async () => isEnd((await lab.run(id)).state), `the run ${id} to end`, seconds)
      return { run: await lab.run(id), steps: await lab.steps(id) }
    },
    async restart(during: () => Promise<void> = async () => {}) {
      await server.engine.close()
      await store.close()
      await during()
      store = await openStore(folder)
      server = await startServer()
    },
    async close() {
      await server.engine.close()
      await server.services.runLog.close()
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return lab
}

/** Waits for a condition. */
export async function until(condition: () => Promise<boolean> | boolean, what: string, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited ${seconds} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
