import { isUuid } from '../core/kernel/id.ts'
import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { CommandFailure, ServerUnreachable } from './exit.ts'
import { findTask } from './find-task.ts'
import { printRunLog, readRunLog } from './follow.ts'
import { localTime } from './local-time.ts'
import { interruptible, pause } from './look.ts'
import { harmless, oneLine } from './terminal.ts'
import type { Server } from './client.ts'
import type { FoundTask, TaskType } from './find-task.ts'
import type { LogOptions } from './follow.ts'
import type { Terminal } from './terminal.ts'

type TaskLogOptions = Omit<LogOptions, 'step'> & { readonly type?: TaskType }

/** A life of an instance: the run whose log is shown. */
type Life = { readonly id: string; readonly name: string }

const lookAgainMs = 1000
// A server that is started again is back long before.
const patience = 20

/**
 * Prints the output of a task: of a job that of its run, of a cron job that of its latest job, of a deployment or service that of every instance, each line with
 * the name of its instance. With `follow` instances that come later are followed, too, until the task is deleted.
 */
async function printTaskLogs(terminal: Terminal, server: Server, reference: string, options: TaskLogOptions): Promise<void> {
  const { type, ...log } = options
  const task = await findTask(server, reference, type ? { types: [type] } : {}).catch((error: unknown) => {
    // The id of a run that is no task (an instance, a pipeline) is as good.
    if (isUuid(reference) && error instanceof CommandFailure && error.exit === 'notFound') return null
    throw error
  })
  if (task === null || task.type === 'job') return printRunLog(terminal, server, task?.id ?? reference, log)
  if (task.type === 'cronjob') return printRunLog(terminal, server, await latestJob(server, task), log)
  await interruptible(terminal, `Left; the ${oneLine(task.type)} goes on.`, (signal) => printLives(terminal, server, task, { ...log, signal }))
}

async function latestJob(server: Server, { name, namespace, output }: FoundTask): Promise<string> {
  const runs = await runsOf(server, { kind: 'task', namespace, limit: 1000 })
  const latest = runs.find((run) => run.name.startsWith(`${name}-`) && /^\d+$/.test(run.name.slice(name.length + 1)))
  if (latest) return latest.id
  const next =
    typeof output.next_schedule_time === 'string' ? ` Its first comes at ${oneLine(localTime(output.next_schedule_time, Date.now()))}.` : ''
  throw new CommandFailure('notFound', `The cron job "${namespace}/${name}" has started no job yet.${next}`)
}

async function printLives(terminal: Terminal, server: Server, task: FoundTask, options: LogOptions & { signal: AbortSignal }): Promise<void> {
  const { signal } = options
  const seen = new Set<string>()
  const going = new Set<Promise<void>>()
  const failures: unknown[] = []
  const print = async ({ id, name }: Life) => {
    const lines = new PrefixedLines(terminal, name)
    await readRunLog(server, id, options, (text) => lines.write(text))
    lines.end()
  }
  for (let away = 0; ; ) {
    const lives = await livesOf(server, task, signal).catch((error: unknown) => {
      // A server that is started again: its instances go on, and so do we.
      if (seen.size === 0 || !(error instanceof ServerUnreachable) || ++away > patience) throw error
      return null
    })
    if (lives) away = 0
    for (const life of lives?.filter(({ id }) => !seen.has(id)) ?? []) {
      seen.add(life.id)
      const end = print(life)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => going.delete(end))
      going.add(end)
      if (!options.follow) await end
    }
    if (failures.length > 0) throw failures[0]
    if (!options.follow) return
    if (lives && going.size === 0 && !(await isThere(server, task, signal))) return
    await Promise.race([pause(lookAgainMs, signal), ...going])
  }
}

/** The lives of a task's instances that go on, oldest first; where none does, the last one that ended. */
async function livesOf(server: Server, { id, namespace }: FoundTask, signal: AbortSignal): Promise<Life[]> {
  const ofTask = (runs: readonly ListedRun[]) => runs.filter((run) => run.parent === id)
  const active = ofTask(await runsOf(server, { kind: 'replica', namespace, active: true, limit: 1000 }, signal))
  if (active.length > 0) return active.reverse()
  return ofTask(await runsOf(server, { kind: 'replica', namespace, active: false, limit: 1000 }, signal)).slice(0, 1)
}

async function isThere(server: Server, { id }: FoundTask, signal: AbortSignal): Promise<boolean> {
  try {
    await callOperation(server, 'task.get', { task: id }, { signal })
    return true
  } catch (error) {
    if (error instanceof CommandFailure && error.exit === 'notFound') return false
    throw error
  }
}

type ListedRun = Life & { readonly parent: unknown }

async function runsOf(server: Server, input: object, signal?: AbortSignal): Promise<ListedRun[]> {
  const output = await callOperation(server, 'run.list', input, signal ? { signal } : {})
  const items = isObject(output) && Array.isArray(output.items) ? output.items.filter(isObject) : []
  return items.flatMap(({ id, name, parent }) => (typeof id === 'string' && typeof name === 'string' ? [{ id, name, parent }] : []))
}

/** Lines with the name of where they come from in front: what several write at once stays readable. */
class PrefixedLines {
  readonly #terminal: Terminal
  readonly #prefix: string
  #rest = ''

  constructor(terminal: Terminal, name: string) {
    this.#terminal = terminal
    this.#prefix = `${oneLine(name)} | `
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    this.#terminal.out(lines.map((line) => `${this.#prefix}${harmless(line)}\n`).join(''))
  }

  end(): void {
    if (this.#rest !== '') this.write('\n')
  }
}

export { printTaskLogs }
