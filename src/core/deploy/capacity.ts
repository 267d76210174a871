import type { Problem } from '../kernel/fault.ts'
import type { Settings } from '../operation/settings.ts'
import type { Place } from '../../ports/store/runs.ts'
import type { Manifest } from './manifest.ts'
import type { TaskWork } from './task.ts'

type Capacity = Settings['capacity']

/** What is wrong with the requests of a manifest that not even the whole machine could meet: it would wait for ever. */
function capacityProblems(manifest: Pick<Manifest, 'cpuRequest' | 'memoryRequest'>, capacity: Capacity): Problem[] {
  const problems: Problem[] = []
  const say = (member: string, message: string) => problems.push({ path: `/${member}`, code: 'capacity', message, severity: 'error' })
  const { cpuRequest, memoryRequest } = manifest
  if (cpuRequest !== null && millicores(cpuRequest) > millicores(capacity.cpu)) {
    say('cpu-request', `is ${cpuRequest} cores, and all tasks together have ${capacity.cpu} (limits.cpu); ask for less`)
  }
  if (memoryRequest !== null && memoryRequest > capacity.memoryBytes) {
    say('memory-request', `is ${memoryRequest} bytes, and all tasks together have ${capacity.memoryBytes} (limits.memory_bytes); ask for less`)
  }
  return problems
}

/** What a task takes of the machine while it is starting or running. Nothing for who requests nothing. */
function requestedPlaces(work: TaskWork, runtime: string, capacity: Capacity): Place[] {
  const places = [
    { gauge: `cpu:${runtime}`, amount: millicores(work.cpu_request ?? 0), limit: millicores(capacity.cpu) },
    { gauge: `memory:${runtime}`, amount: work.memory_request_bytes ?? 0, limit: capacity.memoryBytes },
  ]
  // Accepted when the machine was larger: it starts when it has all of this one to itself.
  return places.filter(({ amount }) => amount > 0).map((place) => ({ ...place, amount: Math.min(place.amount, place.limit) }))
}

// Gauges count whole numbers.
function millicores(cores: number): number {
  return cores > 0 ? Math.max(1, Math.round(cores * 1000)) : 0
}

export { capacityProblems, requestedPlaces }
