import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Where tasks say that they were there. Their sandbox hides every folder of ours, but the network is the host's. */
export type Counter = {
  /** A line of shell that counts one visit of `name`. */
  hit(name: string): string
  /** A line of shell that waits until the test opens `name`. */
  gate(name: string): string
  /** The address of either, for who does not use a shell. */
  address(what: 'hit' | 'gate', name: string): string
  /** How often `name` was visited; gates count when something arrives at them. */
  visits(name: string): number
  open(name: string): void
  close(): Promise<void>
}

/** A counter on loopback. */
export async function startCounter(): Promise<Counter> {
  const visits = new Map<string, number>()
  const waiting = new Map<string, ServerResponse[]>()
  const opened = new Set<string>()
  const server = createServer((request, response) => {
    const [, what = '', name = ''] = (request.url ?? '').split('/')
    visits.set(name, (visits.get(name) ?? 0) + 1)
    if (what === 'hit' || opened.has(name)) response.end()
    else waiting.set(name, [...(waiting.get(name) ?? []), response])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on TCP
  return {
    hit: (name) => `curl -sf --retry 3 --retry-connrefused ${url}/hit/${name}`,
    gate: (name) => `curl -sf ${url}/gate/${name}`,
    address: (what, name) => `${url}/${what}/${name}`,
    visits: (name) => visits.get(name) ?? 0,
    open(name) {
      opened.add(name)
      for (const response of waiting.get(name) ?? []) response.end()
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
