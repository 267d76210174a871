import type { Json } from '../kernel/json.ts'
import { ExpressionError } from './expression-parser.ts'
import { flowLimits } from './graph.ts'
import { end, place, planned } from './machine.ts'
import type { Due, Machine } from './machine.ts'
import type { PlanNode } from './plan.ts'
import { guarded, loopRun, openScope } from './rounds.ts'
import { phases } from './state.ts'
import type { Frame } from './state.ts'
import { filled, value } from './values.ts'

/** Begins a ready node: hands it to the engine, or does what the flow itself does of it. */
export async function begin(machine: Machine, frame: Frame, at: number): Promise<void> {
  const step = planned(frame, at)
  await guarded(machine, frame, at, async () => {
    const input = step.template && step.node.kind !== 'scope' ? await filled(machine, frame, step.template) : null
    if (step.node.kind === 'pass') return end(machine, frame, at, { state: 'succeeded', output: input })
    const due = step.due && (await dueOf(machine, frame, step.due))
    const run = step.loop && (await loopRun(machine, frame, at))
    machine.effects.push({ do: 'create', ...place(frame, at), input, due })
    enter(frame, at, step)
    if (step.node.kind === 'scope') openScope(machine, frame, at)
    if (run) {
      frame.loops.set(at, run)
      machine.agenda.push({ task: 'round', frame, at })
    }
  })
}

/** Takes the node's place. What the engine has to start is `created`; questions, timers, loops and scopes are at work from their row on. */
export function enter(frame: Frame, at: number, step: PlanNode, started = false): void {
  frame.phase[at] = step.engine && step.slot && !started ? phases.created : phases.started
  if (step.slot) frame.busy++
}

async function dueOf(machine: Machine, frame: Frame, due: NonNullable<PlanNode['due']>): Promise<Due> {
  const found = typeof due.value === 'number' ? due.value : await value(machine, frame, due.value)
  const at = typeof due.value === 'number' ? 0 : due.value.at
  if (due.kind === 'until') return { until: moment(found, at) }
  if (typeof found !== 'number' || found < 0 || found > flowLimits.waitMs) {
    throw new ExpressionError('type', at, `a timer waits from 0 to ${flowLimits.waitMs} milliseconds`)
  }
  return { delay_ms: Math.ceil(found) }
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/
const latest = 8_640_000_000_000_000

function moment(found: Json, at: number): number {
  const ms = typeof found === 'string' && rfc3339.test(found) ? Date.parse(found) : found
  if (typeof ms === 'number' && Number.isFinite(ms) && Math.abs(ms) <= latest) return Math.ceil(ms)
  throw new ExpressionError('type', at, 'a timer waits until milliseconds since 1970, or a text such as 2030-01-31T08:00:00Z')
}
