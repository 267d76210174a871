import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { CommandFailure } from './exit.ts'
import { oneLineJson } from './follow.ts'
import { interruptible, lookUntil } from './look.ts'
import { oneLine, shellWord } from './terminal.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

type ShownJob = { readonly id: string; readonly name: string; readonly status: string; readonly ended: boolean; readonly error: string | null }
type ShownStep = { readonly key: string; readonly name: string; readonly status: string; readonly error: string | null }

/**
 * Shows a job of a workflow until it has ended, and fails unless it has succeeded: a line for each step that begins, waits or ends, with what a person is
 * asked; with `json` the whole job for each change.
 */
async function watchJob(terminal: Terminal, server: Server, job: string, { json }: { json: boolean }): Promise<void> {
  const seen = new Map<string, string>()
  let last = ''
  const end = await interruptible(terminal, 'Left; the job goes on. "capstan job cancel" ends it.', (signal) =>
    lookUntil({
      server,
      signal,
      look: async () => {
        const output = await callOperation(server, 'job.get', { job }, { signal })
        const shown = jobOf(output)
        if (json) {
          // Time goes on where nothing changes.
          const now = oneLineJson({ ...(isObject(output) ? output : {}), time_spent: null })
          if (now !== last) terminal.out(oneLineJson(output))
          last = now
        } else {
          for (const line of newLines(await stepsOf(server, job, signal), seen)) terminal.out(`${line}\n`)
          for (const line of questionsOf(output)) if (!seen.has(line)) terminal.out(`${line}\n`)
          for (const line of questionsOf(output)) seen.set(line, line)
        }
        return shown.ended ? shown : null
      },
    }),
  )
  if (!json) terminal.out(`${oneLine(end.name)}: ${end.status}\n`)
  endAsJob(end)
}

/** A job and its steps, for people. */
async function printJob(terminal: Terminal, server: Server, job: string): Promise<void> {
  const output = await callOperation(server, 'job.get', { job })
  const shown = jobOf(output)
  const rows = [`${oneLine(shown.name)}: ${shown.status}`, ...newLines(await stepsOf(server, job), new Map()), ...questionsOf(output)]
  terminal.out(rows.map((row) => `${row}\n`).join(''))
}

function newLines(steps: readonly ShownStep[], seen: Map<string, string>): string[] {
  return steps.flatMap(({ key, name, status, error }) => {
    if (seen.get(key) === status) return []
    seen.set(key, status)
    return [`${status.padEnd(9)}  ${oneLine(name)}${error === null ? '' : `: ${oneLine(error)}`}`]
  })
}

// As commands that can be copied, with names where they say which is meant.
function questionsOf(output: unknown): string[] {
  const { id, waiting_for: list } = isObject(output) ? output : {}
  const waiting = Array.isArray(list) ? list.filter(isObject) : []
  const steps = new Set(waiting.map(({ step }) => step))
  return waiting.flatMap(({ step, name, key, choices }) => {
    const ways = (Array.isArray(choices) ? choices : []).filter(isObject).filter(({ timeout_only: late }) => late !== true)
    const paths = ways.map(({ path }) => path)
    const twins = waiting.some((other) => other.step !== step && other.name === name)
    const at = steps.size === 1 ? '' : ` --step ${shellWord(callable(name, twins ? [] : [name]) ?? String(step))}`
    // Where a step waits more than once, in rounds of a loop, the answer says which of them it is for.
    const which = waiting.filter((other) => other.step === step).length > 1 ? ` --key ${shellWord(String(key))}` : ''
    return ways.map(
      ({ edge, path }) =>
        `           capstan job decide ${oneLine(String(id))}${at} --path ${shellWord(callable(path, paths) ?? String(edge))}${which}`,
    )
  })
}

/** A name that a command can be given: one that is printable and the only one among `all`. */
function callable(name: unknown, all: readonly unknown[]): string | null {
  const text = typeof name === 'string' ? name : ''
  return text !== '' && text === oneLine(text) && all.filter((other) => other === name).length === 1 ? text : null
}

async function stepsOf(server: Server, job: string, signal?: AbortSignal): Promise<ShownStep[]> {
  const output = await callOperation(server, 'job.list-steps', { job }, signal ? { signal } : {})
  const items = isObject(output) && Array.isArray(output.items) ? output.items.filter(isObject) : []
  return items.map(({ key, name, status, error, attempt }) => ({
    key: `${String(key)} ${String(attempt)}`,
    name: String(name),
    status: String(status),
    error: typeof error === 'string' ? error : null,
  }))
}

function jobOf(output: unknown): ShownJob {
  const { id, name, status, ended_at: endedAt, failed_step: failed } = isObject(output) ? output : {}
  const error = isObject(failed) && typeof failed.message === 'string' ? failed.message : null
  return { id: String(id), name: String(name), status: String(status), ended: typeof endedAt === 'string', error }
}

function endAsJob({ status, error }: ShownJob): void {
  if (status === 'cancelled') throw new CommandFailure('cancelled', 'The job was cancelled.')
  if (status !== 'succeeded') throw new CommandFailure('endedBadly', `The job has failed${error === null ? '' : ` (${oneLine(error)})`}.`)
}

export { watchJob, printJob }
