import { anonymous, isSignedIn, principalOf } from '../identity/principal.ts'
import { everyoneId } from '../kernel/builtin.ts'
import { sleep } from '../kernel/clock.ts'
import { fault, isFault } from '../kernel/fault.ts'
import { isObject } from '../kernel/json.ts'
import { readingContext } from '../operation/invoke.ts'
import { contentFault } from './content-fault.ts'
import { readManifest } from './manifest.ts'
import { readPipeline } from './pipeline.ts'
import { StoreUnavailable } from '../../ports/store/store.ts'
import { findRepository, readDocument, resolveSource, withinGitBudget } from './source.ts'
import type { Timer } from '../kernel/clock.ts'
import type { Fault, Problem } from '../kernel/fault.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { Principal } from '../identity/principal.ts'
import type { Ctx } from '../operation/context.ts'
import type { Services } from '../operation/services.ts'
import type { LoadingRow } from '../../ports/store/loading.ts'

/** How long the outcome of a loading is kept after its end. */
const keptMs = 3_600_000
/** How many go on at once. */
const mostOpen = 64
/** What one caller's loadings may come to; all callers without credentials are one. */
const mostOwn = 2000
const mostBytes = 64 * 1024 * 1024

// A loading of a server that is gone is begun again by another one after this, where several share a store.
const orphanedMs = 60_000

const closeMs = 2000
const retryStoreMs = 500

/** The end of a loading that failed, in the words of the fault table; `kind` tells apart what an API does. */
type LoadingError = { readonly code: string; readonly kind: string | null; readonly message: string; readonly problems: readonly Problem[] }

/**
 * Reads definitions from git in the background (Deploy API §12.1). Everything that it has to know is in rows: what a stop or a kill cut off is begun again by
 * the next start. Reading a definition changes nothing, so doing it twice is no harm; the first end counts.
 */
class Loadings {
  readonly #services: () => Services
  readonly #shared: boolean
  readonly #working = new Map<string, Promise<void>>()
  #timer: Timer | null = null
  #closed = false

  constructor(options: { services: () => Services; shared: boolean }) {
    this.#services = options.services
    this.#shared = options.shared
  }

  /** Begins what an earlier start left unfinished. */
  async start(): Promise<void> {
    const { store } = this.#services()
    // Whatever the clock says: it may have gone back since they were made.
    for (const row of await store.reader.loadings.unfinished(Number.MAX_SAFE_INTEGER, mostOpen)) this.#work(row)
    if (this.#shared) this.#lookAgain()
  }

  /** Makes a loading and begins with it. Errors: `overloaded`, `quota_exceeded`. */
  async begin(ctx: Ctx, about: Pick<LoadingRow, 'kind' | 'repository' | 'directory' | 'branch'>): Promise<LoadingRow> {
    if (this.#closed || ctx.services.stopping.aborted) throw fault('shutting_down', {}, { retryAfterMs: 5000 })
    const now = ctx.clock.now()
    const row: LoadingRow = {
      ...about,
      id: ctx.ids.hex(16),
      user_id: isSignedIn(ctx.principal) ? ctx.principal.id : everyoneId,
      state: 'pending',
      step: 'resolving',
      commit: null,
      size: 0,
      created_at: now,
      finished_at: null,
      error: null,
      problems: [],
      configuration: null,
    }
    await ctx.services.store.write(async ({ loadings }) => {
      const { open, own, bytes } = await loadings.usage(row.user_id, now - keptMs)
      if (open >= mostOpen) throw fault('overloaded', { what: `${open} definitions are being loaded`, seconds: 2 }, { retryAfterMs: 2000 })
      if (own >= mostOwn || bytes >= mostBytes) {
        throw fault(
          'quota_exceeded',
          { scope: 'The list of your loaded definitions', limit: own >= mostOwn ? mostOwn : `${mostBytes} bytes` },
          { retryAfterMs: 600_000 },
        )
      }
      await loadings.insert(row)
    })
    this.#work(row, ctx.principal)
    return row
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    // What git does not answer in time is begun again by the next start.
    const { clock } = this.#services()
    await Promise.race([Promise.all(this.#working.values()), sleep(clock, closeMs)])
  }

  #work(row: LoadingRow, principal?: Principal): void {
    if (this.#closed || this.#working.has(row.id)) return
    const services = this.#services()
    const work = this.#load(row, principal)
      .catch((error: unknown) => {
        // It stays unfinished, and the next start begins it again.
        if (!services.stopping.aborted) services.log.error('loading.failed', { loading: row.id, error })
      })
      .finally(() => this.#working.delete(row.id))
    this.#working.set(row.id, work)
  }

  // It was promised, so it waits until the store can take its end.
  async #load(row: LoadingRow, principal?: Principal): Promise<void> {
    const services = this.#services()
    for (;;) {
      try {
        return await load(services, row, principal ?? (await principalFor(services, row)))
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || this.#closed) throw error
        services.log.warn('loading.not_recorded', { loading: row.id, error })
        await sleep(services.clock, retryStoreMs)
      }
    }
  }

  #lookAgain(): void {
    const { store, clock, log } = this.#services()
    this.#timer = clock.after(orphanedMs / 2, () => {
      void store.reader.loadings
        .unfinished(clock.now() - orphanedMs, mostOpen)
        .then((rows) => {
          for (const row of rows) this.#work(row)
        })
        .catch((error: unknown) => log.error('loading.not_read', { error }))
      if (!this.#closed) this.#lookAgain()
    })
  }
}

// With the rights of now: who may not sign in any more reads what everybody may.
async function principalFor(services: Services, row: LoadingRow): Promise<Principal> {
  const user = row.user_id === everyoneId ? null : await services.store.reader.users.byId(row.user_id)
  return user?.active ? principalOf(user, 'run', null) : anonymous
}

async function load(services: Services, row: LoadingRow, principal: Principal): Promise<void> {
  const ctx = readingContext(services, { principal, origin: { via: 'loading', peer: '', requestId: row.id } })
  const { clock, store } = services
  const say = (patch: Parameters<typeof store.reader.loadings.update>[1]) => store.write(({ loadings }) => loadings.update(row.id, patch))
  const end = (patch: Parameters<typeof say>[0]) => say({ ...patch, step: 'done', finished_at: clock.now(), size: sizeOf(patch) })
  try {
    await say({ state: 'running' })
    await withinGitBudget(ctx, row.repository, async () => {
      const repository = { ...(await findRepository(ctx, row.repository)), text: row.repository }
      await say({ step: 'fetching' })
      const source = await resolveSource(ctx, repository, row.directory, row.branch)
      await say({ step: 'reading', branch: source.branch, commit: source.commit })
      const name = row.kind === 'task' ? 'manifest.json' : 'pipeline.json'
      const { value, problems } = await readDocument(ctx, source, name)
      if (value === undefined) throw contentFault(name, problems)
      if (!isObject(value)) throw contentFault(name, [{ path: '', code: 'type', message: 'must be a JSON object', severity: 'error' }])
      await say({ step: 'validating' })
      const found = row.kind === 'task' ? await readManifest(value as JsonObject, problems) : await readPipeline(value as JsonObject, problems)
      await end({ state: 'succeeded', configuration: value as JsonObject, problems: found.problems.slice(0, 100) as unknown as Json[] })
    })
  } catch (error) {
    if (!isFault(error)) throw error
    await end({ state: 'failed', error: errorOf(error) as unknown as JsonObject })
  }
}

function errorOf({ code, context, message, details }: Fault): LoadingError {
  const problems: unknown = details?.problems
  return { code, kind: context.kind ?? null, message, problems: Array.isArray(problems) ? (problems as Problem[]) : [] } // faults carry problems there
}

function sizeOf(patch: object): number {
  return Buffer.byteLength(JSON.stringify(patch))
}

/** Whether a loading's outcome may still be read. */
function isKept(row: LoadingRow, now: number): boolean {
  return row.finished_at === null || row.finished_at + keptMs > now
}

/** Removes what is kept no longer. */
async function pruneLoadings({ store, clock }: Services): Promise<void> {
  await store.write(({ loadings }) => loadings.prune(clock.now() - keptMs))
}

export type { LoadingError }
export { keptMs, Loadings, isKept, pruneLoadings }
