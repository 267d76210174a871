import { memberOf, textMember } from './members.ts'
import type { Finding, WorkflowDocument, WorkflowPath, WorkflowStep } from './model.ts'

const triggerTypes: ReadonlySet<string> = new Set(['trigger', 'api_trigger'])
const knownTypes: ReadonlySet<string> = new Set([
  ...triggerTypes,
  'snippet_map',
  'action',
  'artifact',
  'automated_decision',
  'human_decision',
  'decision_chatops',
  'action_chatops',
  'filter',
  'loop',
  'break',
  'join',
  'pattern_match',
  'helpers',
  'snippet',
  'end',
])
const decisionTypes: ReadonlySet<string> = new Set(['automated_decision', 'human_decision', 'decision_chatops'])

const choosingTypes: ReadonlySet<string> = new Set([...decisionTypes, 'filter', 'break'])

/**
 * Whether the job takes the usual path when this step fails. What chooses the way has none then: a rule that cannot be told fails the job, whatever the step
 * says (contract §12.2).
 */
function goesOnAfterFailure(step: WorkflowStep): boolean {
  return step.continue_on_failure && !choosingTypes.has(step.type)
}

/** Steps and paths that name things which are there: where checks and the compiler look them up. */
type Shape = {
  readonly steps: ReadonlyMap<string, WorkflowStep>
  /** Paths out of a step, in the order of the document; the inner path of a loop is among them. */
  readonly out: ReadonlyMap<string, readonly WorkflowPath[]>
  readonly start: WorkflowStep | null
}

/** The one step that starts the workflow, or null. */
function startStep(document: WorkflowDocument): WorkflowStep | null {
  return document.steps.find(({ type, parent }) => parent === '' && isStart(document, type)) ?? null
}

function isStart(document: WorkflowDocument, type: string): boolean {
  return document.type === 'snippet' ? type === 'snippet_map' : triggerTypes.has(type)
}

/** Where a path of a document leads: the step, or null for the end of the job or of the body that it is in. */
function targetOf(steps: ReadonlyMap<string, WorkflowStep>, path: WorkflowPath): WorkflowStep | null {
  const step = steps.get(path.to)
  return step && step.type !== 'end' ? step : null
}

function isInnerPath(step: WorkflowStep | undefined, path: WorkflowPath): boolean {
  return step?.type === 'loop' && textMember(step.parameters, 'innerEdgeId') === path.id
}

/** The steps and paths of a document by name. */
function shapeOf(document: WorkflowDocument): Shape {
  const steps = new Map(document.steps.map((step) => [step.id, step]))
  const out = new Map<string, WorkflowPath[]>()
  for (const path of document.paths) {
    // Some files give the inner path of a loop no source: its loop is the one that it is in.
    const from = path.from === '' && isInnerPath(steps.get(path.parent), path) ? path.parent : path.from
    const paths = out.get(from)
    if (paths) paths.push(path)
    else out.set(from, [path])
  }
  return { steps, out, start: startStep(document) }
}

/** What is wrong with how steps and paths hang together (contract §5.3): everything at once. */
function checkShape(document: WorkflowDocument): Finding[] {
  const shape = shapeOf(document)
  return [...checkSteps(document), ...checkPaths(document, shape), ...checkWays(document, shape)]
}

function checkSteps(document: WorkflowDocument): Finding[] {
  const findings: Finding[] = []
  const names = new Set<string>()
  const ids = new Set<string>()
  const starts = document.steps.filter(({ type }) => isStart(document, type) || triggerTypes.has(type) || type === 'snippet_map')
  const wanted = document.type === 'snippet' ? 'a snippet begins with exactly one step of type "snippet_map"' : 'a workflow has exactly one trigger'
  const [first] = starts
  if (starts.length !== 1) findings.push(ofWorkflow(`${wanted}; this one has ${starts.length}`))
  else if (first && !isStart(document, first.type)) findings.push(ofWorkflow(`${wanted}; this one begins with a step of type "${first.type}"`))
  else if (first && first.parent !== '') findings.push({ step: first.name, input: '', message: 'what a workflow begins with is inside of no loop' })
  if (document.name.trim() === '') findings.push(ofWorkflow('the workflow has no name'))
  for (const step of document.steps) {
    const add = (message: string) => findings.push({ step: step.name || step.id, input: '', message })
    if (step.id === '') add('the step has no id')
    else if (ids.has(step.id)) add(`two steps have the id "${step.id}"`)
    ids.add(step.id)
    if (!knownTypes.has(step.type)) add(`steps of type "${step.type.slice(0, 60)}" are not known here`)
    if (step.type === 'end') continue
    if (step.name === '') add('the step has no name')
    else if (names.has(step.name)) add('two steps have this name')
    if (step.name.startsWith('$')) add('names of steps do not begin with "$"')
    names.add(step.name)
  }
  return findings
}

function checkPaths(document: WorkflowDocument, { steps, out }: Shape): Finding[] {
  const findings: Finding[] = []
  const ids = new Set<string>()
  const into = new Map<string, number>()
  for (const path of document.paths) {
    const from = steps.get(path.from) ?? (isInnerPath(steps.get(path.parent), path) ? steps.get(path.parent) : undefined)
    const to = steps.get(path.to)
    const add = (message: string) => findings.push({ step: from?.name ?? '', input: '', message })
    if (path.id === '' || ids.has(path.id)) add(path.id === '' ? 'a path has no id' : `two paths have the id "${path.id}"`)
    ids.add(path.id)
    if (!from) add(`a path comes from a step "${path.from}" that is not there`)
    if (path.to !== '' && !to) add(`a path leads to a step "${path.to}" that is not there`)
    if (from?.type === 'end') add('no path comes out of the end')
    if (!from || !to) continue
    const parent = isInnerPath(from, path) ? from.id : from.parent
    if (to.type !== 'end' && to.parent !== parent) add(`the path to "${to.name}" leads ${to.parent === '' ? 'out of' : 'into'} a loop`)
    if (to.type !== 'end') into.set(to.id, (into.get(to.id) ?? 0) + 1)
  }
  for (const step of document.steps) {
    const add = (message: string) => findings.push({ step: step.name, input: '', message })
    const count = into.get(step.id) ?? 0
    if (count > 0 && isStart(document, step.type)) add('no path leads to what a workflow begins with')
    if (count > 1 && step.type !== 'join') add(`${count} paths lead to this step; only a join may have more than one`)
    checkWaysOut(step, out.get(step.id) ?? [], add)
    const parent = steps.get(step.parent)
    if (step.parent !== '' && parent?.type !== 'loop')
      add(parent ? `it is inside of "${parent.name}", which is no loop` : 'the loop that it is in is not there')
  }
  return findings
}

function checkWaysOut(step: WorkflowStep, paths: readonly WorkflowPath[], add: (message: string) => void): void {
  if (step.type === 'loop') {
    const inner = paths.filter((path) => isInnerPath(step, path))
    if (inner.length !== 1) add('a loop has exactly one inner path, named by "innerEdgeId"')
    if (paths.length - inner.length > 1) add('a loop has one path that goes on after it')
  } else if (decisionTypes.has(step.type)) {
    const ids = new Set(paths.map(({ id }) => id))
    const choices = new Set(choicesOf(step))
    for (const id of choices) if (!ids.has(id)) add(`a choice leads to a path "${id}" that does not come out of this step`)
    for (const path of paths) if (!choices.has(path.id)) add(`the path "${path.name || path.id}" belongs to no choice`)
  } else if (paths.length > 1) add(`${paths.length} paths come out of this step; only decisions and loops may have more than one`)
}

/** The ids of the paths that a decision may take, in its order. */
function choicesOf(step: WorkflowStep): string[] {
  const controls = memberOf(step.parameters, 'stepControlParams') ?? memberOf(step.parameters, 'options')
  const ids = Array.isArray(controls) ? controls.map((control) => textMember(asObject(control), 'edgeId')) : []
  const others = [textMember(step.parameters, 'defaultEdgeId'), textMember(step.parameters, 'timeoutEdgeId')]
  return [...new Set([...ids, ...others].filter((id) => id !== ''))]
}

function asObject(value: unknown): Parameters<typeof textMember>[0] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Parameters<typeof textMember>[0]) : {} // JSON stays JSON
}

/** Every step is reached from the start, by no way twice, and loops are nested within bounds. */
function checkWays(document: WorkflowDocument, { steps, out, start }: Shape): Finding[] {
  const findings: Finding[] = []
  const reached = new Set<string>()
  const state = new Map<string, 'open' | 'done'>()
  // Without recursion: the document is hostile, and may be ten thousand steps long.
  const stack: { id: string; next: number }[] = start ? [{ id: start.id, next: 0 }] : []
  if (start) reached.add(start.id)
  while (stack.length > 0) {
    const top = stack.at(-1)
    if (!top) break
    state.set(top.id, 'open')
    const path = (out.get(top.id) ?? [])[top.next++]
    if (!path) {
      state.set(top.id, 'done')
      stack.pop()
      continue
    }
    const target = targetOf(steps, path)
    if (!target) continue
    if (state.get(target.id) === 'open')
      findings.push({ step: target.name, input: '', message: 'the workflow goes in a circle here; rounds are made by a loop' })
    if (!reached.has(target.id)) {
      reached.add(target.id)
      stack.push({ id: target.id, next: 0 })
    }
  }
  for (const step of document.steps) {
    if (start && step.type !== 'end' && !reached.has(step.id)) findings.push({ step: step.name, input: '', message: 'no path leads to this step' })
    if (step.type === 'break' && step.parent === '') findings.push({ step: step.name, input: '', message: 'a break is inside of a loop' })
    const depth = depthOf(step, steps)
    if (depth > 8) findings.push({ step: step.name, input: '', message: 'loops are nested deeper than 8' })
  }
  return findings
}

function depthOf(step: WorkflowStep, steps: ReadonlyMap<string, WorkflowStep>): number {
  let depth = 0
  for (let at = steps.get(step.parent); at && depth < 10; at = steps.get(at.parent)) depth++
  return depth
}

function ofWorkflow(message: string): Finding {
  return { step: '', input: '', message }
}

export type { Shape }
export { checkShape, shapeOf, startStep, targetOf, isInnerPath, choicesOf, goesOnAfterFailure }
