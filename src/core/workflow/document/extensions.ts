import { isParallel, parallelLimits, parallelOf, repeatsList } from '../job/parallel.ts'
import { isReminder, reminderLimits } from '../job/reminder.ts'
import { interruptions } from '../job/interruption.ts'
import { isJsonObject, memberOf, objectMember } from './members.ts'
import type { Finding, WorkflowDocument, WorkflowStep } from './model.ts'

/** Rounds at once of loops inside of one another. */
const mostAtOnce = 100

/** What is wrong with parameters that are extensions of ours: `parallel` of a loop, `reminder` of a human decision, `on_interrupt` and `retry` of an action. */
function checkExtensions(document: WorkflowDocument): Finding[] {
  const steps = new Map(document.steps.map((step) => [step.id, step]))
  return document.steps.flatMap((step) => [...checkParallel(step, steps), ...checkReminder(step), ...checkInterruption(step), ...checkRetry(step)])
}

function checkParallel(step: WorkflowStep, steps: ReadonlyMap<string, WorkflowStep>): Finding[] {
  const wanted = memberOf(step.parameters, 'parallel')
  if (step.type !== 'loop' || wanted === undefined) return []
  const at = (message: string): Finding[] => [{ step: step.name, input: 'parallel', message }]
  if (!isParallel(wanted)) return at(`rounds that run at once are a whole number from ${parallelLimits.least} to ${parallelLimits.most}`)
  if (!repeatsList(step)) return at('only a loop over a list runs rounds at once; this one counts')
  let width = 1
  for (let loop: WorkflowStep | undefined = step, depth = 0; loop && depth < 10; loop = steps.get(loop.parent), depth++) width *= parallelOf(loop)
  return width > mostAtOnce ? at(`${width} rounds would run at once, those of the loops around it counted; ${mostAtOnce} are possible`) : []
}

function checkReminder({ type, name, parameters }: WorkflowStep): Finding[] {
  const wanted = memberOf(parameters, 'reminder')
  if (type !== 'human_decision' || wanted === undefined) return []
  const at = (message: string): Finding[] => [{ step: name, input: 'reminder', message }]
  const { leastSeconds, mostSeconds } = reminderLimits
  if (!isReminder(wanted)) return at(`a reminder comes every so many seconds, from ${leastSeconds} to ${mostSeconds}`)
  return Object.keys(objectMember(parameters, 'notifications')).length === 0 ? at('nobody is told of this decision, so nobody can be reminded') : []
}

function checkInterruption({ type, name, parameters }: WorkflowStep): Finding[] {
  const wanted = memberOf(parameters, 'on_interrupt')
  if (type !== 'action' || wanted === undefined || interruptions.some((one) => one === wanted)) return []
  return [{ step: name, input: 'on_interrupt', message: 'what a restart of the server does to it is "repeat" or "fail"' }]
}

/** What `retry` is made of, with its bounds. */
const retryMembers = { count: 100, delay: 3600, backoff: 10 } as const

function checkRetry({ type, name, parameters }: WorkflowStep): Finding[] {
  const wanted = memberOf(parameters, 'retry') ?? null
  if (type !== 'action' || wanted === null) return []
  if (!isJsonObject(wanted)) return [{ step: name, input: 'retry', message: 'it is an object with "count", "delay" and "backoff"' }]
  return Object.entries(retryMembers).flatMap(([member, most]) => {
    const value = memberOf(wanted, member) ?? 0
    const right = typeof value === 'number' && value >= 0 && value <= most && (member !== 'count' || Number.isInteger(value))
    return right ? [] : [{ step: name, input: `retry.${member}`, message: `it is a ${member === 'count' ? 'whole ' : ''}number from 0 to ${most}` }]
  })
}

export { checkExtensions }
