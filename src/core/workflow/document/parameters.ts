import { flowLimits } from '../../flow/graph.ts'
import { isJsonObject, memberOf, textMember } from './members.ts'
import { choicesOf } from './shape.ts'
import type { Json } from '../../kernel/json.ts'
import type { Finding, WorkflowDocument, WorkflowStep } from './model.ts'

/** What is wrong with the parameters of steps so that each of their executions would fail, or wait for ever: rules and choices that are not there, bounds. */
function checkParameters(document: WorkflowDocument): Finding[] {
  return document.steps
    .filter(({ is_disabled }) => !is_disabled)
    .flatMap((step) => (Object.hasOwn(checks, step.type) ? (checks[step.type]?.(step) ?? []) : []))
}

const checks: Readonly<Record<string, (step: WorkflowStep) => Finding[]>> = {
  filter: checkRule,
  break: checkRule,
  automated_decision: (step) => (choicesOf(step).length === 0 ? [at(step, 'stepControlParams', 'a decision has at least one choice')] : []),
  human_decision: checkQuestion,
  loop: checkRounds,
  helpers: (step) =>
    helpers.has(textMember(step.parameters, 'helperIdentifier'))
      ? []
      : [at(step, 'helperIdentifier', `what it does is one of ${[...helpers].map((name) => `"${name}"`).join(' and ')}`)],
}

const helpers: ReadonlySet<string> = new Set(['append_global_artifacts', 'lookup_global_artifacts'])

function checkRule(step: WorkflowStep): Finding[] {
  const rule = memberOf(step.parameters, 'stepControlParam')
  // A rule that is there and empty is found where it is read.
  return isJsonObject(rule) ? [] : [at(step, 'stepControlParam', 'the step has no rule')]
}

function checkQuestion(step: WorkflowStep): Finding[] {
  const { parameters } = step
  const controls = memberOf(parameters, 'stepControlParams')
  const open = (Array.isArray(controls) ? controls : []).filter((control) => isJsonObject(control) && memberOf(control, 'isTimeoutOnly') !== true)
  const timeout = memberOf(parameters, 'timeout') ?? null
  const findings: Finding[] = []
  if (timeout !== null && timeout !== '' && !(typeof timeout === 'number' && timeout >= 0))
    findings.push(at(step, 'timeout', 'the time to answer in is a number of seconds'))
  if (open.length === 0 && !(typeof timeout === 'number' && timeout > 0))
    findings.push(at(step, 'stepControlParams', 'nobody could ever answer: there is no path that a person may choose'))
  return findings
}

function checkRounds(step: WorkflowStep): Finding[] {
  const { parameters } = step
  if (textMember(parameters, 'repeatVariable') !== '') return []
  const count = memberOf(parameters, 'repeatCount') ?? null
  const delay = memberOf(parameters, 'repeatDelay') ?? null
  const findings: Finding[] = []
  if (count === null)
    findings.push(at(step, 'repeatVariable', 'a loop goes over a list ("repeatVariable") or makes a number of rounds ("repeatCount")'))
  else if (!isTemplate(count) && !isRounds(count))
    findings.push(at(step, 'repeatCount', `the number of rounds is a whole number from 0 to ${flowLimits.rounds}`))
  if (delay !== null && delay !== '' && !isTemplate(delay) && !(Number(delay) >= 0))
    findings.push(at(step, 'repeatDelay', 'the time between rounds is a number of seconds'))
  return findings
}

function isRounds(count: Json): boolean {
  const number = typeof count === 'string' && count.trim() !== '' ? Number(count) : count
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= flowLimits.rounds
}

function isTemplate(value: Json): boolean {
  return typeof value === 'string' && value.includes('{{')
}

function at({ name }: WorkflowStep, input: string, message: string): Finding {
  return { step: name, input, message }
}

export { checkParameters }
