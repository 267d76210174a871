import { isFault } from '../../kernel/fault.ts'
import { pageRequest } from '../../kernel/page.ts'
import { invoke } from '../../operation/invoke.ts'
import { starterOf } from '../../run/starter.ts'
import { memberOf, objectMember } from '../document/members.ts'
import { nodesOf } from './nodes.ts'
import { nextReminder, reminderOf } from './reminder.ts'
import { roundKind } from '../../run/round-kind.ts'
import { placeOf } from './round.ts'
import type { Timer } from '../../kernel/clock.ts'
import type { Services } from '../../operation/services.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'
import type { WorkflowStep } from '../document/model.ts'

const kinds: ReadonlySet<unknown> = new Set(['workflow', roundKind])
const pageSize = 200
// Where several servers share a store, one may have taken over the jobs of another.
const lookAgainMs = 60_000

type Options = { readonly services: () => Services; readonly server: { readonly id: string; readonly shared: boolean } }
type Question = { readonly run: RunRow; readonly row: StepRow; readonly step: WorkflowStep; readonly every: number }

/**
 * Writes again to those whom a job asked and who have not answered (`parameters.reminder`). Each server does so for the jobs that it carries out. Nothing is
 * stored: when the next letter is due follows from when the question was asked.
 */
class Reminders {
  readonly #services: () => Services
  readonly #server: Options['server']
  readonly #closing = new AbortController()
  /** By run and key of the question. */
  readonly #timers = new Map<string, Timer>()
  readonly #busy = new Set<Promise<void>>()
  #unsubscribe: () => void = () => {}
  #again: Timer | null = null

  constructor({ services, server }: Options) {
    this.#services = services
    this.#server = server
  }

  /** Takes up the questions that wait already, and from now on each that is asked. After the engine. */
  start(): void {
    this.#unsubscribe = this.#services().events.subscribe(({ kind, id, state, data }) => {
      if (kind === 'run' && state === 'waiting' && kinds.has(data?.kind)) this.#keep(() => this.#look(id))
    })
    this.#lookAtAll()
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The server stops'))
    this.#unsubscribe()
    this.#again?.cancel()
    for (const timer of this.#timers.values()) timer.cancel()
    await Promise.all(this.#busy)
  }

  #lookAtAll(): void {
    this.#keep(async () => {
      const { store, clock } = this.#services()
      const filter = { kinds: ['workflow', roundKind], states: ['waiting' as const], active: true }
      let after: readonly (string | number)[] | null = null
      do {
        const page = await store.reader.runs.page(filter, null, 'newest', { limit: pageSize, after })
        for (const run of page.items) await this.#arm(run)
        after = page.next === null ? null : pageRequest({ cursor: page.next }).after
      } while (after && !this.#closing.signal.aborted)
      if (this.#server.shared && !this.#closing.signal.aborted) this.#again = clock.after(lookAgainMs, () => this.#lookAtAll())
    })
  }

  async #look(id: string): Promise<void> {
    const run = await this.#services().store.reader.runs.byId(id)
    if (run) await this.#arm(run)
  }

  async #arm(run: RunRow): Promise<void> {
    for (const question of await this.#questionsOf(run)) {
      const name = `${run.id} ${question.row.key}`
      if (!this.#timers.has(name)) this.#armOne(name, question)
    }
  }

  #armOne(name: string, { row, run, every }: Question): void {
    const { clock } = this.#services()
    const now = clock.now()
    const due = nextReminder(row.created_at, every, now)
    if (due === null || this.#closing.signal.aborted) return
    const timer = clock.after(due - now, () =>
      this.#keep(async () => {
        this.#timers.delete(name)
        await this.#remind(name, run.id, row.key)
      }),
    )
    this.#timers.set(name, timer)
  }

  async #remind(name: string, runId: string, key: string): Promise<void> {
    const run = await this.#services().store.reader.runs.byId(runId)
    const question = run && (await this.#questionsOf(run)).find(({ row }) => row.key === key)
    if (!question) return
    // Armed whatever becomes of this letter.
    this.#armOne(name, question)
    await this.#write(question)
  }

  async #write({ run, row, step }: Question): Promise<void> {
    const services = this.#services()
    const document = await services.workflows.document(run)
    const { steps } = services.store.reader
    const { job, prefix } = await placeOf(services, document, run, { one: (key) => steps.one(run.id, key), all: () => steps.ofRun(run.id) })
    const principal = await starterOf(services, job)
    const origin = { via: 'run', peer: '', requestId: `${job.id}/${prefix}${row.key}` }
    const users = memberOf(objectMember(step.parameters, 'notifications'), 'userIdsForEmail') ?? []
    await invoke(services, { principal, origin, signal: this.#closing.signal }, 'workflow.notify', { run: job.id, step: step.name, users })
  }

  /** The questions of a run that nobody has answered and that are to be reminded of; none for runs that another server carries out. */
  async #questionsOf(run: RunRow): Promise<Question[]> {
    if (run.state !== 'waiting' || run.cancel !== null || run.owner !== this.#server.id) return []
    const { workflows, store } = this.#services()
    const document = await workflows.document(run)
    if (!document.steps.some((step) => reminderOf(step) !== null)) return []
    const nodes = nodesOf(document)
    return (await store.reader.steps.ofRun(run.id)).flatMap((row): Question[] => {
      // An answer is stored before the run goes on with it.
      if (row.kind !== 'question' || row.state !== 'waiting' || row.handle !== null) return []
      const step = nodes.stepOf(row.node)?.step
      const every = step ? reminderOf(step) : null
      return step && every !== null ? [{ run, row, step, every }] : []
    })
  }

  #keep(work: () => Promise<void>): void {
    if (this.#closing.signal.aborted) return
    const doing = work().catch((error: unknown) => {
      if (!isFault(error, 'shutting_down') && !this.#closing.signal.aborted) this.#services().log.warn('job.not_reminded', { error })
    })
    this.#busy.add(doing)
    void doing.finally(() => this.#busy.delete(doing))
  }
}

export { Reminders }
