import type { Services } from '../operation/services.ts'

type Parts = Pick<Services, 'runtimes' | 'store' | 'log'>

/** Removes what runs or lies about without a run that owns it: its end was recorded, and the server was killed before it was removed. */
async function removeLeftovers(services: Parts): Promise<void> {
  for (const runtime of services.runtimes.values()) {
    const names = await runtime.list().catch(() => [])
    const ids = [...new Set(names.map((name) => name.slice(0, 36)))]
    const active = new Set<string>()
    for (let at = 0; at < ids.length; at += 500) {
      for (const row of await services.store.reader.runs.byIds(ids.slice(at, at + 500))) if (row.active) active.add(row.id)
    }
    for (const name of names) if (!active.has(name.slice(0, 36))) await removeLeftover(services, runtime.name, name)
  }
}

async function removeLeftover({ runtimes, log }: Parts, runtimeName: string, name: string): Promise<void> {
  const runtime = runtimes.get(runtimeName)
  try {
    const recovered = await runtime?.recover(name)
    if (recovered?.found === 'running') await runtime?.stop(recovered.handle, { graceMs: 0 })
    await runtime?.remove(name)
  } catch (error) {
    log.warn('run.leftover_not_removed', { name, error })
  }
}

export { removeLeftovers }
