import { isObject } from '../core/kernel/json.ts'
import { callOperation, followEvents } from './client.ts'
import { CommandFailure, ServerUnreachable } from './exit.ts'
import { endAs, interruptible, pause } from './look.ts'
import { harmless, oneLine, safeJson } from './terminal.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

type LogOptions = { readonly step?: string; readonly attempt?: string; readonly offset?: string; readonly follow?: boolean }

/**
 * Prints the output of a run, live with `follow`, over interruptions of the connection. Following a run that ended badly fails, so that a script that
 * waits for a run can tell.
 */
async function printRunLog(terminal: Terminal, server: Server, run: string, options: LogOptions): Promise<void> {
  await interruptible(terminal, 'Left; the run goes on.', async (signal) => {
    await readRunLog(server, run, { ...options, signal }, (text) => terminal.out(harmless(text)))
    if (options.follow) endAs('The run', await callOperation(server, 'run.get', { run }, { signal }))
  })
}

/** Gives the output of a run piece by piece; with `follow` until the run has ended. */
async function readRunLog(server: Server, run: string, options: LogOptions & { signal: AbortSignal }, write: (text: string) => void): Promise<void> {
  const query = new URLSearchParams()
  for (const name of ['step', 'attempt', 'offset'] as const) {
    const value = options[name]
    if (value !== undefined) query.set(name, value)
  }
  query.set('follow', String(options.follow === true))
  const path = `/api/v1/runs/${encodeURIComponent(run)}/log?${query}`
  const { signal } = options
  let ended = false
  let seen = false
  let last: string | undefined
  for (let attempt = 0; !ended; attempt++) {
    if (attempt > 20) throw new CommandFailure('tryLater', 'The connection was lost too often. Run the command again.')
    try {
      for await (const { event, id, data } of followEvents(server, path, { last, signal })) {
        last = id
        seen = true
        attempt = 0
        if (event === 'end') ended = true
        else if (isObject(data) && typeof data.text === 'string') write(data.text)
      }
    } catch (error) {
      // One that never answered is not there; one that did is being started again.
      if (!(seen && options.follow && error instanceof ServerUnreachable)) throw error
    }
    if (!options.follow) return
    if (!ended) await pause(500, signal)
  }
}

/** Prints changes as they happen, until it is interrupted. */
async function watch(terminal: Terminal, server: Server, { kind, json }: { kind: string | null; json: boolean }): Promise<void> {
  let last: string | undefined
  await interruptible(terminal, 'Left.', async (signal) => {
    for (;;) {
      for await (const { id, event, data } of followEvents(server, '/api/v1/events', { last, signal })) {
        last = id
        if (kind !== null && event !== kind) continue
        if (json) terminal.out(oneLineJson(data))
        else if (isObject(data)) terminal.out(`${oneLine(`${event} ${data.state ?? ''} ${data.name ?? ''} ${data.id ?? ''}`)}\n`)
      }
      await pause(1000, signal)
    }
  })
}

/** JSON in one line, for programs that read line by line. */
function oneLineJson(value: unknown): string {
  return `${safeJson(value).replace(/\n\s*/g, ' ')}\n`
}

export type { LogOptions }
export { printRunLog, readRunLog, watch, oneLineJson }
