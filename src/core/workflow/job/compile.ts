import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { choicesOf, isInnerPath, shapeOf, targetOf, goesOnAfterFailure } from '../document/shape.ts'
import { approvalChoices, approvalWait, isApproval } from './approval.ts'
import { isRepeatable } from './interruption.ts'
import { nodesOf, partOf } from './nodes.ts'
import { loopsWithFilters, reachedIn, wayPast } from './ways.ts'
import { chunkGraph, parallelOf, repeatsList } from './parallel.ts'
import { builtinAt } from '../builtin/all.ts'
import { flowLimits } from '../../flow/graph.ts'
import type { FlowEdge, FlowGraph, FlowNode, StepPolicy } from '../../flow/graph.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Shape } from '../document/shape.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from '../document/model.ts'
import type { Nodes, Part } from './nodes.ts'

type Compiling = {
  readonly document: WorkflowDocument
  readonly shape: Shape
  readonly nodes: Nodes
  /** Steps by the loop that they are in. */
  readonly inside: ReadonlyMap<string, readonly WorkflowStep[]>
  /** Names of paths by id. */
  readonly names: ReadonlyMap<string, string>
  /** The loop of whose body this is the graph; '' when it is that of the whole document. */
  readonly base: string
}

/** The operation of a node that is carried out by `performStep` and not by an operation. */
const performed = 'workflow.perform'

const noRetries: StepPolicy = { retries: 0, retry_delay_ms: 0, retry_delay_max_ms: 0, timeout_ms: null, grace_ms: 10_000 }

/**
 * The flow graph of a document that was found whole. A step is a `call` that `performStep` carries out, because Komand's templates and rules are no
 * expressions of the graph; what a decision has chosen is in its output, and edges compare it.
 */
function compileWorkflow(document: WorkflowDocument): FlowGraph {
  return bodyOf(compilingOf(document, ''), '', 0)
}

/** The graph of one round of a loop, for rounds that are runs of their own. */
function compileRound(document: WorkflowDocument, loop: WorkflowStep): FlowGraph {
  return bodyOf(compilingOf(document, loop.id), loop.id, 0)
}

function compilingOf(document: WorkflowDocument, base: string): Compiling {
  const inside = Map.groupBy(document.steps, ({ parent }) => parent)
  return { document, shape: shapeOf(document), nodes: nodesOf(document), inside, names: namesOf(document), base }
}

function namesOf({ paths }: WorkflowDocument): Map<string, string> {
  return new Map(paths.map(({ id, name }) => [id, name]))
}

function bodyOf(compiling: Compiling, parent: string, depth: number): FlowGraph {
  const { inside, shape } = compiling
  // A draft is tested as it is: the check of the graph says that it is nested too deeply, and need not see how deeply.
  const reached = reachedIn(shape, parent)
  const steps =
    depth > flowLimits.nesting + 1 ? [] : (inside.get(parent) ?? []).filter(({ id, type }) => type !== 'end' && (reached === null || reached.has(id)))
  const nodes: FlowNode[] = []
  const edges: FlowEdge[] = []
  const pause = pauseOf(compiling, parent)
  if (pause) nodes.push(pause)
  for (const step of steps) {
    const chain = nodesOfStep(compiling, step, depth)
    nodes.push(...chain)
    for (const [index, node] of chain.entries()) {
      const before = chain[index - 1]
      if (before) edges.push({ from: before.id, to: node.id, on: 'success' })
    }
    const last = chain.at(-1)
    for (const path of shape.out.get(step.id) ?? []) {
      const target = targetOf(shape.steps, path)
      if (!target || !last || isInnerPath(step, path) || target.parent !== parent) continue
      edges.push(edgeOf(compiling, step, path, last.id, firstNode(compiling, target)))
    }
  }
  const loop = shape.steps.get(parent)
  // A body may be empty: its path ends it at once, and its rounds are counted all the same.
  if (loop && nodes.length === 0) nodes.push({ kind: 'pass', id: partOf(compiling.nodes.nodeOf(loop.id), 'pause'), join: 'all', when: 'no-error' })
  const begin = loop ? (shape.out.get(loop.id) ?? []).find((path) => isInnerPath(loop, path)) : undefined
  const first = begin ? targetOf(shape.steps, begin) : null
  if (pause && first) edges.push({ from: pause.id, to: firstNode(compiling, first), on: 'success' })
  return { nodes, edges, parallel: null, on_error: 'edges' }
}

/** The nodes of one step, one after the other. */
function nodesOfStep(compiling: Compiling, step: WorkflowStep, depth: number): FlowNode[] {
  const { nodes } = compiling
  const node = nodes.nodeOf(step.id)
  const common: Common = {
    id: node,
    join: step.type === 'join' ? 'any' : 'all',
    when: 'no-error',
    title: step.name,
    ...failing(step),
  }
  const before = (part: Part): FlowNode => ({ ...call(compiling, step, part), join: common.join, ...failing(step) })
  if (step.is_disabled || step.type === 'trigger' || step.type === 'api_trigger' || step.type === 'snippet_map') return [{ ...common, kind: 'pass' }]
  if (step.type === 'loop') return loopNodes(compiling, step, common, { before, depth })
  if (step.type === 'human_decision') return questionNodes(compiling, step, common)
  if (isApproval(step)) return approvalNodes(compiling, step, common)
  if (step.type === 'snippet') {
    const input = partOf(node, 'input')
    return [before('input'), { ...common, join: 'all', kind: 'run', draft: { step: step.id }, input: `{{${outputOf(input)}.input}}` }]
  }
  if (isDelay(step)) {
    const delay = partOf(node, 'delay')
    return [before('delay'), { ...common, join: 'all', kind: 'timer', delay: `${outputOf(delay)}.ms` }]
  }
  return [{ ...call(compiling, step, 'main'), ...common }]
}

function failing(step: WorkflowStep): { continue_on_failure?: true } {
  return goesOnAfterFailure(step) ? { continue_on_failure: true } : {}
}

/** A node that `performStep` carries out. Inside of a loop it is told where it stands. */
function call({ nodes, base }: Compiling, step: WorkflowStep, part: Part): FlowNode & { kind: 'call' } {
  const node = nodes.nodeOf(step.id)
  return {
    kind: 'call',
    id: partOf(node, part),
    title: step.name,
    join: 'all',
    when: 'no-error',
    operation: performed,
    input: step.parent === base ? {} : { loop: '{{loop}}' },
    policy: noRetries,
    ...repetition(step, part),
  }
}

/** Nothing outside has seen it happen, except where a plugin is called, somebody is written to, or a list that workflows share gets longer. */
function repetition(step: WorkflowStep, part: Part): { instant?: true; repeatable?: true } {
  const own = step.type === 'action' && part === 'main'
  const appends = step.type === 'helpers' && textMember(step.parameters, 'helperIdentifier') === 'append_global_artifacts'
  if (part === 'notify' || appends) return {}
  if (!own || isQuick(step)) return { instant: true }
  return isRepeatable(step) ? { repeatable: true } : {}
}

/** One of the server's own actions that only works with what it is given. */
function isQuick({ parameters, plugin }: WorkflowStep): boolean {
  const action = plugin ? builtinAt(plugin)?.actions.get(plugin.identifier) : undefined
  return action?.repeatable === true && action.timeoutMs === undefined && memberOf(parameters, 'retry') === undefined
}

type Common = { id: string; join: 'all' | 'any'; when: 'no-error'; title: string; continue_on_failure?: true }

function loopNodes(
  compiling: Compiling,
  step: WorkflowStep,
  common: Common,
  { before, depth }: { before: (part: Part) => FlowNode; depth: number },
): FlowNode[] {
  const items = outputOf(partOf(common.id, 'items'))
  const leaves = leavesOf(compiling, step)
  const parallel = parallelOf(step) > 1
  const joined = partOf(common.id, 'joined')
  const body = parallel
    ? chunkGraph(step, common.id, { ...call(compiling, step, 'joined'), input: {} }, { inLoop: step.parent !== compiling.base })
    : bodyOf(compiling, step.id, depth + 1)
  const loop: FlowNode = {
    ...common,
    join: 'all',
    kind: 'loop',
    body,
    over: repeatsList(step) ? { items: `${items}.${parallel ? 'chunks' : 'items'}` } : { times: `${items}.times` },
    max_rounds: flowLimits.rounds,
    parallel: 1,
    ...(leaves.length === 0 ? {} : { break_if: parallel ? `(${outputOf(joined)}.break ?? false)` : leaves.join(' || ') }),
  }
  const custom = memberOf(step.parameters, 'customOutput') ?? memberOf(step.parameters, 'customOutputs')
  const gives = (Array.isArray(custom) && custom.length > 0) || loopsWithFilters(compiling.document).has(step.id)
  const after: FlowNode[] = gives ? [{ ...call(compiling, step, 'outputs'), ...failing(step) }] : []
  return [before('items'), loop, ...after]
}

/** What says, of each step in a round, that the loop is left: a break, or a filter that ends the job, also from a loop inside. */
function leavesOf({ document, inside, nodes, shape }: Compiling, loop: WorkflowStep): string[] {
  const filtered = loopsWithFilters(document)
  const reached = reachedIn(shape, loop.id)
  return (inside.get(loop.id) ?? []).flatMap(({ id, type, is_disabled }) => {
    const node = nodes.nodeOf(id)
    if (is_disabled || reached?.has(id) === false) return []
    if (type === 'break') return [`(${outputOf(node)}.break ?? false)`]
    if (type === 'filter') return [`!(${outputOf(node)}.passed ?? true)`]
    return type === 'loop' && filtered.has(id) ? [`(${outputOf(partOf(node, 'outputs'))}.stopped ?? false)`] : []
  })
}

/** The pause between the rounds of a loop that has one: a timer at the beginning of each round but the first. */
function pauseOf({ shape, nodes }: Compiling, parent: string): FlowNode | null {
  const loop = shape.steps.get(parent)
  const delay = loop ? memberOf(loop.parameters, 'repeatDelay') : undefined
  if (!loop || repeatsList(loop) || !((typeof delay === 'number' && delay > 0) || (typeof delay === 'string' && delay !== '' && delay !== '0')))
    return null
  const node = nodes.nodeOf(loop.id)
  const ms = typeof delay === 'number' ? String(Math.round(delay * 1000)) : `${outputOf(partOf(node, 'items'))}.delay_ms`
  return { kind: 'timer', id: partOf(node, 'pause'), join: 'all', when: 'no-error', delay: `loop.index == 0 ? 0 : ${ms}` }
}

function questionNodes(compiling: Compiling, step: WorkflowStep, common: Common): FlowNode[] {
  const { parameters } = step
  const seconds = memberOf(parameters, 'timeout')
  const timeout = textMember(parameters, 'timeoutEdgeId')
  const ask: JsonObject = { kind: 'human_decision', step: step.id, choices: choicesFor(step, compiling.names) }
  const notify = tellsSomebody(step)
  const question: FlowNode = {
    ...common,
    join: notify ? 'all' : common.join,
    kind: 'question',
    ask,
    timeout_ms: typeof seconds === 'number' && seconds > 0 ? Math.min(Math.round(seconds * 1000), flowLimits.waitMs) : null,
    ...(timeout === ''
      ? { on_timeout: 'fail' as const }
      : { on_timeout: 'continue' as const, default: { edge: timeout, path: compiling.names.get(timeout) ?? '', user_name: '' } }),
  }
  // Who is not told of it can still answer: a letter that is not sent stops nothing.
  const letter: FlowNode = { ...call(compiling, step, 'notify'), join: common.join, continue_on_failure: true }
  return notify ? [letter, question] : [question]
}

/** An approval is filled first, then whoever it asks is told of it. */
function approvalNodes(compiling: Compiling, step: WorkflowStep, common: Common): FlowNode[] {
  const input: FlowNode = { ...call(compiling, step, 'input'), join: common.join, ...failing(step) }
  const letter: FlowNode = { ...call(compiling, step, 'notify'), continue_on_failure: true }
  const ask: JsonObject = { kind: 'approval', step: step.id, choices: [...approvalChoices] }
  return [
    input,
    letter,
    { ...common, join: 'all', kind: 'question', ask, input: `{{${outputOf(partOf(common.id, 'input'))}.input}}`, ...approvalWait(step) },
  ]
}

/** What a person may choose, with the names of the paths. */
function choicesFor(step: WorkflowStep, names: ReadonlyMap<string, string>): Json[] {
  if (isApproval(step)) return [...approvalChoices]
  const controls = memberOf(step.parameters, 'stepControlParams')
  const onlyTimeout = new Set(
    (Array.isArray(controls) ? controls : [])
      .filter(isJsonObject)
      .filter((control) => memberOf(control, 'isTimeoutOnly') === true)
      .map((control) => textMember(control, 'edgeId')),
  )
  return choicesOf(step).map((edge) => ({ edge, path: names.get(edge) ?? '', timeout_only: onlyTimeout.has(edge) }))
}

function edgeOf(compiling: Compiling, step: WorkflowStep, path: WorkflowPath, from: string, to: string): FlowEdge {
  const edge = { from, to, on: 'success' as const }
  const output = outputOf(compiling.nodes.nodeOf(step.id))
  const past = wayPast(compiling.shape, step)
  // A path that is never taken stays a path: without one a step would begin by itself.
  if (step.is_disabled) return past === null || past === path.id ? edge : { ...edge, if: 'false' }
  if (step.type === 'automated_decision' || step.type === 'human_decision') return { ...edge, if: `${output}.edge == ${JSON.stringify(path.id)}` }
  if (step.type === 'loop' && loopsWithFilters(compiling.document).has(step.id))
    return { ...edge, if: `!(${outputOf(partOf(compiling.nodes.nodeOf(step.id), 'outputs'))}.stopped ?? false)` }
  if (step.type === 'filter') return { ...edge, if: `${output}.passed` }
  return step.type === 'break' ? { ...edge, if: `!${output}.break` } : edge
}

/** The node that the paths into a step lead to. */
function firstNode({ nodes }: Compiling, step: WorkflowStep): string {
  return partOf(nodes.nodeOf(step.id), firstPart(step))
}

function firstPart(step: WorkflowStep): Part {
  if (step.is_disabled) return 'main'
  if (step.type === 'loop') return 'items'
  if (step.type === 'snippet' || isApproval(step)) return 'input'
  if (step.type === 'human_decision') return tellsSomebody(step) ? 'notify' : 'main'
  return isDelay(step) ? 'delay' : 'main'
}

function tellsSomebody(step: WorkflowStep): boolean {
  return Object.keys(objectMember(step.parameters, 'notifications')).length > 0
}

/** The action `delay` of the timers: the graph waits for it, so that it survives a restart. */
function isDelay(step: WorkflowStep): boolean {
  return step.type === 'action' && step.plugin?.name === 'timers' && step.plugin.identifier === 'delay' && builtinVendors.has(step.plugin.vendor)
}

const builtinVendors: ReadonlySet<string> = new Set(['capstan', 'rapid7', 'komand'])

function outputOf(node: string): string {
  return `steps[${JSON.stringify(node)}].output`
}

export { compileWorkflow, compileRound, choicesFor, namesOf, performed, builtinVendors }
