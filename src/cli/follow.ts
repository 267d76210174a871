import { isObject } from '../core/kernel/json.ts'
import { callOperation, followEvents } from './client.ts'
import { CommandFailure } from './exit.ts'
import { harmless, oneLine, safeJson } from './terminal.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

type LogOptions = { readonly step?: string; readonly attempt?: string; readonly offset?: string; readonly follow?: boolean }

/**
 * Prints the output of a run, live with `follow`, over interruptions of the connection. Following a run that ended badly fails, so that a script that
 * waits for a run can tell.
 */
async function printRunLog(terminal: Terminal, server: Server, run: string, options: LogOptions): Promise<void> {
  const query = new URLSearchParams()
  for (const name of ['step', 'attempt', 'offset'] as const) {
    const value = options[name]
    if (value !== undefined) query.set(name, value)
  }
  query.set('follow', String(options.follow === true))
  const path = `/api/v1/runs/${encodeURIComponent(run)}/log?${query}`
  let ended = false
  let last: string | undefined
  for (let attempt = 0; !ended; attempt++) {
    if (attempt > 5) throw new CommandFailure('tryLater', 'The connection was lost too often. Run the command again.')
    for await (const { event, id, data } of followEvents(server, path, last)) {
      last = id
      attempt = 0
      if (event === 'end') ended = true
      else if (isObject(data) && typeof data.text === 'string') terminal.out(harmless(data.text))
    }
    if (!options.follow) return
    if (!ended) await pause(500)
  }
  const output = await callOperation(server, 'run.get', { run })
  const state = isObject(output) ? String(output.state) : ''
  if (['failed', 'cancelled', 'timed_out', 'lost'].includes(state))
    throw new CommandFailure(
      'failure',
      `The run has ${state === 'timed_out' ? 'timed out' : state === 'cancelled' || state === 'lost' ? `been ${state}` : state}.`,
    )
}

/** Prints changes as they happen, until it is interrupted. */
async function watch(terminal: Terminal, server: Server, { kind, json }: { kind: string | null; json: boolean }): Promise<void> {
  let last: string | undefined
  for (;;) {
    for await (const { id, event, data } of followEvents(server, '/api/v1/events', last)) {
      last = id
      if (kind !== null && event !== kind) continue
      if (json) terminal.out(`${safeJson(data).replace(/\n\s*/g, ' ')}\n`)
      else if (isObject(data)) terminal.out(`${oneLine(`${event} ${data.state ?? ''} ${data.name ?? ''} ${data.id ?? ''}`)}\n`)
    }
    await pause(1000)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export type { LogOptions }
export { printRunLog, watch }
