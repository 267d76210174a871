import { isFault } from '../kernel/fault.ts'
import { system } from '../identity/principal.ts'
import { readingContext } from '../operation/invoke.ts'
import { dropDeadInstances } from './dead-instances.ts'
import { planReplicas } from './replica-plan.ts'
import { nextLife, replicaDraft, replicaKind, replicaOf } from './replica.ts'
import { Probes } from './probes.ts'
import { allWorkloads, specDocument, workloadKey, workloadKind, workloadOf, workloadTopic } from './workload.ts'
import type { Timer } from '../kernel/clock.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { RunDraft } from '../run/draft.ts'
import type { Loopback } from '../../ports/loopback.ts'
import type { ResourceRow, RunRow } from '../../ports/store/rows.ts'
import type { Life } from './replica-plan.ts'
import type { Traffic } from './traffic.ts'
import type { WorkloadSpec, WorkloadStatus } from './workload.ts'

type ReconcilerOptions = {
  readonly services: Services
  readonly loopback: Loopback
  readonly traffic: Traffic
  /** This server, and whether others may share the store: then one of them reconciles. */
  readonly server: { readonly id: string; readonly shared: boolean }
}

const tryAgainMs = 2000
/** How often a server of a shared store looks whether it is the one that reconciles, and how often that one looks at everything, because hints get lost. */
const electionMs = 2000
const everythingEach = 5
/** A gateway in another process of a shared store needs this to hear that an instance leaves. */
const hearMs = 1500
const mostReplicas = 10_000

/**
 * Keeps deployments and services as they were asked for. It looks at a workload when something happens to it (a deploy, a delete, the start or end of an
 * instance, a pause that is over) and follows what `planReplicas` makes of its rows; between those it does nothing. Instances are runs like any other: the
 * engine starts, recovers, logs and stops them.
 *
 * Life: made → `start` (looks at everything once) → `close` (lets go; instances go on).
 */
class Reconciler {
  readonly #services: Services
  readonly #loopback: Loopback
  readonly #traffic: Traffic
  readonly #server: ReconcilerOptions['server']
  readonly #probes: Probes
  readonly #passes = new Map<string, { again: boolean; done: Promise<void> }>()
  readonly #timers = new Map<string, Timer>()
  /** Runs that are being drained and stopped. */
  readonly #leaving = new Set<string>()
  readonly #closing = new AbortController()
  #unsubscribe: (() => void)[] = []
  #election: Timer | null = null
  #leads = false
  #dead: ReadonlySet<string> = new Set()

  constructor({ services, loopback, traffic, server }: ReconcilerOptions) {
    this.#services = services
    this.#loopback = loopback
    this.#traffic = traffic
    this.#server = server
    this.#probes = new Probes({ clock: services.clock, loopback, onReady: (workload) => this.look(workload) })
  }

  async start(): Promise<void> {
    const { events, store } = this.#services
    this.#unsubscribe = [
      store.bus.subscribe(workloadTopic, (id) => this.look(id)),
      events.subscribe((event) => {
        if (event.kind === 'run' && event.data?.kind === replicaKind) void this.#lookAtOwner(event.id)
      }),
    ]
    this.#dead = await dropDeadInstances(this.#services)
    await this.#elect(0)
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The server stops'))
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#election?.cancel()
    for (const timer of this.#timers.values()) timer.cancel()
    this.#probes.close()
    await Promise.all([...this.#passes.values()].map((pass) => pass.done))
  }

  /** Looks at a workload, soon and once however often it is asked. */
  look(id: string): void {
    if (this.#closing.signal.aborted || !this.#leads) return
    const running = this.#passes.get(id)
    if (running) {
      running.again = true
      return
    }
    const pass = { again: false, done: Promise.resolve() }
    this.#passes.set(id, pass)
    pass.done = this.#passesOf(id, pass)
  }

  async #passesOf(id: string, pass: { again: boolean }): Promise<void> {
    do {
      pass.again = false
      try {
        await this.#pass(id)
      } catch (error) {
        if (this.#closing.signal.aborted) break
        this.#services.log.error('workload.not_reconciled', { workload: id, error })
        this.#wake(id, this.#services.clock.now() + tryAgainMs)
      }
    } while (pass.again && !this.#closing.signal.aborted)
    this.#passes.delete(id)
  }

  // Of servers that share a store the oldest that is alive reconciles. Two that both believe it for a moment start nothing twice: names are unique.
  async #elect(round: number): Promise<void> {
    const led = this.#leads
    try {
      this.#leads = !this.#server.shared || (await this.#isOldest())
      if (this.#leads && (!led || round % everythingEach === 0)) await this.#lookAtEverything()
    } catch (error) {
      this.#services.log.warn('workload.election_failed', { error })
    }
    if (this.#server.shared && !this.#closing.signal.aborted) {
      this.#election = this.#services.clock.after(electionMs, () => void this.#elect(round + 1))
    }
  }

  async #isOldest(): Promise<boolean> {
    const now = this.#services.clock.now()
    const alive = (await this.#services.store.reader.servers.all()).filter((server) => server.lease_until > now)
    return alive.map((server) => server.id).sort()[0] === this.#server.id
  }

  async #lookAtEverything(): Promise<void> {
    const { reader } = this.#services.store
    const active = await reader.runs.page({ kinds: [replicaKind], active: true }, null, 'name', { limit: mostReplicas, after: null })
    const ids = [...(await allWorkloads(reader)).map((row) => row.id), ...active.items.flatMap((run) => run.parent_id ?? [])]
    for (const id of new Set(ids)) this.look(id)
  }

  async #lookAtOwner(runId: string): Promise<void> {
    const { reader } = this.#services.store
    const run = await reader.runs.byId(runId)
    if (!run?.parent_id || this.#closing.signal.aborted) return
    this.look(run.parent_id)
    // The end of a deleted one's last instance is what a new one of its name waits for.
    if (run.active) return
    const heir = await reader.resources.byName(workloadKind, workloadKey(run.namespace, replicaOf(run).task))
    if (heir && heir.id !== run.parent_id) this.look(heir.id)
  }

  async #pass(id: string): Promise<void> {
    const { clock, store } = this.#services
    this.#timers.get(id)?.cancel()
    this.#timers.delete(id)
    const row = await store.reader.resources.byId(id)
    const runs = await this.#runsOf(id)
    if (row?.kind !== workloadKind || row.deleted_at !== null) {
      for (const run of runs) this.#stop(run, 'deleted_by_user')
      if (runs.length > 0) this.#publish(id, 'deleted')
      return
    }
    const spec = workloadOf(row)
    const lives = await this.#livesOf(spec, runs)
    const blocked = lives.length === 0 && (await this.#hasPredecessor(row, spec))
    const plan = planReplicas(spec, lives, clock.now(), { blocked })
    await this.#record(row, spec, plan.status)
    for (const run of plan.overdue) await this.#cancel(run, { cleanup: false, reason: 'start_failed' })
    for (const run of plan.stop) this.#stop(run, 'replaced')
    const ports = new Set(lives.flatMap(({ run }) => replicaOf(run).port ?? []))
    for (const slot of plan.first) await this.#begin(row, replicaDraft(row, slot, await this.#port(spec, ports)))
    for (const { run, failures } of plan.again) await this.#begin(row, nextLife(run, failures, await this.#port(spec, ports)))
    if (plan.first.length + plan.again.length > 0) this.look(id)
    if (plan.wakeAt !== null) this.#wake(id, plan.wakeAt)
  }

  // The latest life of each instance is listed; one that was replaced or deleted is not, and may still be active.
  async #runsOf(id: string): Promise<RunRow[]> {
    const { runs } = this.#services.store.reader
    const filter = { kinds: [replicaKind], parentId: id }
    const page = { limit: mostReplicas, after: null }
    const listed = await runs.page({ ...filter, listed: true }, null, 'name', page)
    return listed.items
  }

  async #livesOf(spec: WorkloadSpec, runs: readonly RunRow[]): Promise<Life[]> {
    const active = runs.map((run) => run.id)
    const steps = new Map((await this.#services.store.reader.steps.ofRuns(active)).map((step) => [step.run_id, step]))
    const known = new Set(spec.status.ready.map((ready) => ready.run))
    return runs.map((run) => {
      const step = steps.get(run.id) ?? null
      const up = run.active && step?.state === 'running' && !this.#dead.has(run.id) // its row may not say so yet
      if (!run.active) this.#probes.forget(run.id)
      return { run, step, leaving: this.#leaving.has(run.id), ready: up && (known.has(run.id) || this.#probes.isReady(run)) }
    })
  }

  // Two of one name never run at once: the instances of a deleted one end first.
  async #hasPredecessor(row: ResourceRow, { namespace, name }: WorkloadSpec): Promise<boolean> {
    const filter = { kinds: [replicaKind], namespace, active: true }
    const { items } = await this.#services.store.reader.runs.page(filter, null, 'name', { limit: mostReplicas, after: null })
    return items.some((run) => run.parent_id !== row.id && replicaOf(run).task === name)
  }

  async #record(row: ResourceRow, spec: WorkloadSpec, status: WorkloadStatus): Promise<void> {
    if (JSON.stringify(status) === JSON.stringify(spec.status)) return
    const written = await this.#services.store.write(async ({ resources }) => {
      const now = await resources.byId(row.id)
      // Deployed anew meanwhile: that is looked at next.
      if (!now || workloadOf(now).generation !== spec.generation) return false
      await resources.update(row.id, { spec: specDocument({ ...workloadOf(now), status }) })
      return true
    })
    if (!written) return
    this.#publish(row.id, status.state, row)
  }

  #publish(id: string, state: string, row?: ResourceRow): void {
    const name = row ? workloadOf(row).name : ''
    this.#services.events.publish({ kind: 'workload', id, name, state, resource_id: row?.parent_id ?? null })
    if (this.#server.shared) this.#services.store.bus.publish('route', id)
  }

  async #port(spec: WorkloadSpec, taken: Set<number>): Promise<number | null> {
    if (spec.type !== 'service') return null
    const port = await this.#loopback.freePort(taken)
    taken.add(port)
    return port
  }

  async #begin(row: ResourceRow, draft: RunDraft): Promise<void> {
    try {
      await this.#services.engine.accept(this.#context(workloadOf(row).deployed_by), draft, { parentId: row.id })
    } catch (error) {
      // Somebody else has started this life already.
      if (!isFault(error, 'name_taken')) throw error
    }
  }

  // First nobody is led to it any more, then what is under way comes to its end, then it is stopped.
  #stop(run: RunRow, reason: string): void {
    if (this.#leaving.has(run.id)) return
    this.#leaving.add(run.id)
    this.#probes.forget(run.id)
    const end = async () => {
      if (run.active && replicaOf(run).port !== null) {
        if (this.#server.shared) await this.#pause(hearMs)
        await this.#traffic.drain(run.id, graceOf(run))
      }
      if (this.#closing.signal.aborted) return
      await this.#cancel(run, { cleanup: false, reason, delete: true })
      this.#leaving.delete(run.id)
    }
    end().catch((error: unknown) => {
      this.#leaving.delete(run.id)
      if (this.#closing.signal.aborted) return
      this.#services.log.error('workload.not_stopped', { run: run.id, error })
      if (run.parent_id) this.#wake(run.parent_id, this.#services.clock.now() + tryAgainMs)
    })
  }

  async #cancel(run: RunRow, order: { cleanup: false; reason: string; delete?: true }): Promise<void> {
    await this.#services.engine.cancel(this.#context(system), run.id, order)
    this.#traffic.forget(run.id)
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#services.clock.after(ms, resolve)
    return promise
  }

  #wake(id: string, at: number): void {
    if (this.#closing.signal.aborted) return
    this.#timers.get(id)?.cancel()
    const { clock } = this.#services
    this.#timers.set(
      id,
      clock.after(Math.max(at - clock.now(), 1), () => this.look(id)),
    )
  }

  // Instances run as whoever deployed them; the store's commit of an order needs no audit line: the deploy or delete has its own.
  #context(who: { id: string; name: string }): Ctx {
    const services = this.#services
    const origin = { via: 'reconciler', peer: '', requestId: '' }
    const ctx = readingContext(services, { principal: { ...system, id: who.id, name: who.name }, origin })
    return { ...ctx, write: (work) => services.store.write((tables) => work({ ...ctx, db: tables, writing: true })) }
  }
}

// What is under way may take as long as the program is given to end by itself.
function graceOf(run: RunRow): number {
  const { nodes } = run.graph as unknown as RunDraft['graph'] // written by `replicaDraft`
  const [node] = nodes
  return node?.kind === 'work' ? node.policy.grace_ms : 0
}

export { Reconciler }
