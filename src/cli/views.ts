import { isObject } from '../core/kernel/json.ts'
import { localTime } from './local-time.ts'
import { renderOutput } from './render.ts'

/** How outputs are printed for people whose general form would leave out what they look for, by operation. */
const views: Readonly<Record<string, (output: unknown) => string>> = {
  'schedule.list': (output) => renderOutput(withItems(output, scheduleRow)),
}

/** An output for people. */
function renderOf(operation: string, output: unknown): string {
  return (Object.hasOwn(views, operation) ? views[operation] : undefined)?.(output) ?? renderOutput(output)
}

function withItems(output: unknown, row: (item: Record<string, unknown>) => Record<string, unknown>): unknown {
  return isObject(output) && Array.isArray(output.items) ? { ...output, items: output.items.filter(isObject).map(row) } : output
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
