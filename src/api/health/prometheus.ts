import { performance } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import { version } from '../../core/kernel/version.ts'
import type { ApiHost } from '../api.ts'
import type { Metrics } from '../metrics.ts'

/** The help of every counter that something in this program counts. A counter without a line here is shown all the same. */
const helps: Readonly<Record<string, string>> = {
  capstan_http_requests_total: 'HTTP requests answered, by API and status.',
  capstan_operations_total: 'Operations called, by name and outcome.',
}

/** All figures in Prometheus' text form. Nothing is measured between two scrapes but what is counted anyway. */
async function prometheusText({ metrics, health }: Pick<ApiHost, 'metrics' | 'health'>): Promise<{ text: string; contentType: string }> {
  const registry = new Registry()
  addProcess(registry, await eventLoopLag())
  addCounted(registry, metrics)
  for (const { name, help, labels, value } of await health.gauges()) {
    gaugeOf(registry, name, help, Object.keys(labels)).set({ ...labels }, value)
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

function addCounted(registry: Registry, metrics: Metrics): void {
  for (const { name, labels, value } of metrics.counted()) {
    const known = registry.getSingleMetric(name)
    const options = { name, help: helps[name] ?? name, labelNames: Object.keys(labels), registers: [registry] }
    const counter = known instanceof Counter ? known : new Counter(options)
    counter.inc({ ...labels }, value)
  }
}

function addProcess(registry: Registry, lag: number): void {
  const { user, system } = process.cpuUsage()
  const memory = process.memoryUsage()
  const one = (name: string, help: string, value: number) => gaugeOf(registry, name, help, []).set(value)
  gaugeOf(registry, 'capstan_info', 'The version that runs.', ['version', 'node']).set({ version, node: process.version }, 1)
  new Counter({ name: 'process_cpu_seconds_total', help: 'Processor time used.', registers: [registry] }).inc((user + system) / 1e6)
  one('process_start_time_seconds', 'When the process started, in seconds since 1970.', performance.timeOrigin / 1000)
  one('process_resident_memory_bytes', 'Memory that the process holds.', memory.rss)
  one('nodejs_heap_used_bytes', 'Heap in use.', memory.heapUsed)
  one('nodejs_external_memory_bytes', 'Memory outside of the heap that belongs to JavaScript objects.', memory.external)
  one('nodejs_eventloop_lag_seconds', 'How late the event loop was at this scrape.', lag)
  one(
    'nodejs_eventloop_utilization',
    'The share of time that the event loop was busy since the start.',
    performance.eventLoopUtilization().utilization,
  )
}

function gaugeOf(registry: Registry, name: string, help: string, labelNames: string[]): Gauge {
  const known = registry.getSingleMetric(name)
  return known instanceof Gauge ? known : new Gauge({ name, help, labelNames, registers: [registry] })
}

function eventLoopLag(): Promise<number> {
  const began = performance.now()
  return new Promise((resolve) => setImmediate(() => resolve((performance.now() - began) / 1000)))
}

export { prometheusText }
