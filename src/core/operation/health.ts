import type { Services } from './services.ts'

/** Whether work can be taken. `checks` names the parts that were looked at; why one failed is only for the log. */
export type Readiness = { readonly ready: boolean; readonly checks: Readonly<Record<string, boolean>> }

/** One number at this moment, for /metrics. Labels never hold names that users chose. */
export type Gauge = { readonly name: string; readonly help: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

export type Health = {
  readiness(): Promise<Readiness>
  gauges(): Promise<readonly Gauge[]>
}

/** The health of the store and the runtimes. Ready means: the store can be written and the default runtime takes work; other runtimes are only shown. */
export function healthOf(services: Pick<Services, 'store' | 'runtimes' | 'settings' | 'stopping' | 'log'>): Health {
  const said = new Map<string, string | null>()
  const look = async (part: string, probe: Promise<string | null>): Promise<boolean> => {
    const why = await probe.catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    // Probes come every few seconds: only a change is news.
    if (why !== (said.get(part) ?? null)) services.log.warn(why === null ? 'health.recovered' : 'health.failed', { part, why })
    said.set(part, why)
    return why === null
  }
  return {
    async readiness() {
      const checks: Record<string, boolean> = { store: await look('store', services.store.health()) }
      for (const [name, runtime] of services.runtimes) checks[`runtime:${name}`] = await look(`runtime:${name}`, runtime.unavailable())
      const wanted = checks[`runtime:${services.settings.defaultRuntime}`] ?? true
      return { ready: checks['store'] === true && wanted && !services.stopping.aborted, checks }
    },
    async gauges() {
      const counts = await services.store.reader.runs.counts()
      const help = 'Runs that are kept, by kind and state.'
      return counts.map(({ kind, state, count }) => ({ name: 'capstan_runs', help, labels: { kind, state }, value: count }))
    },
  }
}
