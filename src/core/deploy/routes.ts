import { allWorkloads, workloadOf, workloadTopic } from './workload.ts'
import type { Services } from '../operation/services.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Published } from './manifest.ts'

/** A published service, as the gateway needs it. */
type PublishedRoute = Published & {
  /** Id of the service. */
  readonly service: string
  /** Its instances that answer, each by its run and its port of loopback. */
  readonly targets: readonly { readonly run: string; readonly port: number }[]
}

/** The topic on which the reconciling server of a shared store says that instances came or went. */
const routeTopic = 'route'

/** All published services, now and after each change, until the signal is aborted. Changes that come together are one. */
async function* followRoutes(services: Services, signal: AbortSignal): AsyncGenerator<readonly PublishedRoute[]> {
  const { events, store } = services
  let changed = true
  let wake = () => {}
  const note = () => {
    changed = true
    wake()
  }
  const unsubscribe = [
    events.subscribe((event) => {
      if (event.kind === 'workload') note()
    }),
    store.bus.subscribe(workloadTopic, note),
    store.bus.subscribe(routeTopic, note),
  ]
  signal.addEventListener('abort', note, { once: true })
  try {
    while (!signal.aborted) {
      if (changed) {
        changed = false
        yield await readRoutes(store.reader)
        continue
      }
      const woken = Promise.withResolvers<void>()
      wake = woken.resolve
      if (!changed) await woken.promise
    }
  } finally {
    for (const end of unsubscribe) end()
  }
}

async function readRoutes(tables: Tables): Promise<PublishedRoute[]> {
  return (await allWorkloads(tables)).flatMap((row) => {
    const { published, status } = workloadOf(row)
    if (!published) return []
    const targets = status.ready.flatMap(({ run, port }) => (port === null ? [] : [{ run, port }]))
    return [{ ...published, service: row.id, targets }]
  })
}

export type { PublishedRoute }
export { routeTopic, followRoutes }
