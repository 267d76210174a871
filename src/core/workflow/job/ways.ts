import { memberOf, textMember } from '../document/members.ts'
import { isInnerPath, targetOf } from '../document/shape.ts'
import type { Json } from '../../kernel/json.ts'
import type { Shape } from '../document/shape.ts'
import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'

const decisions: ReadonlySet<string> = new Set(['automated_decision', 'human_decision', 'decision_chatops'])

/**
 * The path that a disabled decision takes: its default, else the one for nobody's answer (who is not asked has consented to nothing), else its first. Null for
 * every other step.
 */
function wayPast(shape: Shape, step: WorkflowStep): string | null {
  if (!step.is_disabled || !decisions.has(step.type)) return null
  const { parameters } = step
  return textMember(parameters, 'defaultEdgeId') || textMember(parameters, 'timeoutEdgeId') || (shape.out.get(step.id)?.[0]?.id ?? '')
}

/**
 * The steps of a body that a path from its beginning leads to: a draft may hold others, and is tested as it is. Null where nothing begins, so that nothing can be
 * told.
 */
function reachedIn(shape: Shape, parent: string): ReadonlySet<string> | null {
  const loop = shape.steps.get(parent)
  if (!loop && !shape.start) return null
  const begin = loop ? (shape.out.get(loop.id) ?? []).filter((path) => isInnerPath(loop, path)) : []
  const open = loop ? begin.map((path) => targetOf(shape.steps, path)) : [shape.start]
  const reached = new Set<string>()
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (step?.parent !== parent || reached.has(step.id)) continue
    reached.add(step.id)
    for (const path of shape.out.get(step.id) ?? []) if (!isInnerPath(step, path)) open.push(targetOf(shape.steps, path))
  }
  return reached
}

const known = new WeakMap<WorkflowDocument, ReadonlySet<string>>()

/** The loops that a filter inside of them, or of a loop in them, may leave for good: stopping ends the job and no round alone (contract §10). */
function loopsWithFilters(document: WorkflowDocument): ReadonlySet<string> {
  const before = known.get(document)
  if (before) return before
  const loops = new Set<string>()
  const steps = new Map(document.steps.map((step) => [step.id, step]))
  for (const { type, is_disabled, parent } of document.steps) {
    if (type !== 'filter' || is_disabled) continue
    for (let loop = steps.get(parent); loop && !loop.is_disabled && !loops.has(loop.id); loop = steps.get(loop.parent)) loops.add(loop.id)
  }
  known.set(document, loops)
  return loops
}

/** Whether what a filter, or the outputs of a loop, left behind ends the job. */
function endsJob(output: Json): boolean {
  return (
    output !== null &&
    typeof output === 'object' &&
    !Array.isArray(output) &&
    (memberOf(output, 'passed') === false || memberOf(output, 'stopped') === true)
  )
}

export { wayPast, reachedIn, loopsWithFilters, endsJob }
