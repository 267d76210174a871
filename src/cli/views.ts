import { isObject } from '../core/kernel/json.ts'
import { localTime } from './local-time.ts'
import { renderOutput } from './render.ts'
import { harmless, oneLine } from './terminal.ts'

/** How outputs are printed for people whose general form would leave out what they look for, by operation. */
const views: Readonly<Record<string, (output: unknown) => string>> = {
  'schedule.list': (output) => renderOutput(withItems(output, scheduleRow)),
  'plugin.list': (output) => renderOutput(withItems(output, pluginRow)),
  'connection.list': (output) => renderOutput(withItems(output, connectionRow)),
  'job.list-artifacts': (output) => reports(output) ?? renderOutput(output),
}

/** An output for people. */
function renderOf(operation: string, output: unknown): string {
  return (Object.hasOwn(views, operation) ? views[operation] : undefined)?.(output) ?? renderOutput(output)
}

function withItems(output: unknown, row: (item: Record<string, unknown>) => Record<string, unknown>): unknown {
  return isObject(output) && Array.isArray(output.items) ? { ...output, items: output.items.filter(isObject).map(row) } : output
}

function pluginRow({ name, title, status, runtime, description }: Record<string, unknown>) {
  return { name, title, status, runtime, description }
}

function connectionRow({ name, plugin_vendor, plugin_name, plugin_version, updated_at, id }: Record<string, unknown>) {
  return { name, plugin: `${plugin_vendor}/${plugin_name}/${plugin_version}`, updated_at, id }
}

// What steps keep is there to be read.
function reports(output: unknown): string | null {
  const items = isObject(output) && Array.isArray(output.items) ? output.items.filter(isObject) : []
  if (items.length === 0) return null
  return items.map(({ name, content }) => `${oneLine(String(name))}:\n\n${harmless(String(content)).trimEnd()}\n`).join('\n')
}

// The name is what "schedule suspend" takes.
function scheduleRow({ namespace, name, kind, expression, zone, suspended, next_at, last_at, started_as }: Record<string, unknown>) {
  const when = (time: unknown) => (typeof time === 'string' ? localTime(time, Date.now()) : null)
  return {
    name: `${namespace}/${name}`,
    kind,
    state: suspended ? 'suspended' : 'on',
    next_at: when(next_at),
    last_at: when(last_at),
    expression: zone === 'UTC' ? expression : `${expression} ${zone}`,
    started_as,
  }
}

export { renderOf }
