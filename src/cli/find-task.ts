import { isUuid } from '../core/kernel/id.ts'
import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { CommandFailure } from './exit.ts'
import { oneLine } from './terminal.ts'
import type { Server } from './client.ts'

/** What commands need to know of a task. */
type FoundTask = {
  readonly id: string
  readonly name: string
  readonly namespace: string
  readonly type: string
  readonly output: Record<string, unknown>
}

const taskTypes = ['job', 'service', 'deployment', 'cronjob'] as const
type TaskType = (typeof taskTypes)[number]

/** A task by its id, or by `<namespace>/<name>`: of those that share a name the job comes first, the cron job last. */
async function findTask(server: Server, reference: string, options: { types?: readonly TaskType[]; signal?: AbortSignal } = {}): Promise<FoundTask> {
  const { types = taskTypes } = options
  const signal = options.signal ? { signal: options.signal } : {}
  if (isUuid(reference)) return taskOf(await callOperation(server, 'task.get', { task: reference }, signal))
  const [namespace = '', name = '', ...more] = reference.split('/')
  if (namespace === '' || name === '' || more.length > 0) {
    throw new CommandFailure('usage', `"${oneLine(reference)}" is no task. Write its id, or <namespace>/<name>.`)
  }
  const wanted = plainName(name)
  for (const type of types) {
    let cursor: unknown = null
    do {
      const page = await callOperation(server, 'task.list', { namespace, type, limit: 1000, ...(cursor !== null && { cursor }) }, signal)
      const { items, next } = isObject(page) ? page : {}
      const found = Array.isArray(items) ? items.filter(isObject).find((item) => item.name === wanted) : undefined
      if (found) return taskOf(found)
      cursor = typeof next === 'string' ? next : null
    } while (cursor !== null)
  }
  const what = types.length === 1 ? types[0] : 'task'
  throw new CommandFailure('notFound', `There is no ${what} "${oneLine(reference)}" that you may see. "capstan task list" shows what there is.`)
}

// As the server reads names.
function plainName(name: string): string {
  return name.toLowerCase().replace(/[_. ]/g, '-')
}

function taskOf(output: unknown): FoundTask {
  if (!isObject(output) || typeof output.id !== 'string') throw new CommandFailure('failure', 'The server answered, but not with a task.')
  const { id, name, namespace, type } = output
  return { id, name: String(name), namespace: String(namespace), type: String(type), output }
}

export type { FoundTask, TaskType }
export { taskTypes, findTask, taskOf }
