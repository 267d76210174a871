import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { parseQuery, queryVariables } from '../../language/query-parser.ts'
import { queryHolds } from '../../language/query.ts'
import { LanguageError } from '../../language/scope.ts'
import { fillTemplates, templateRoots } from '../../language/template.ts'
import { shapeOf } from '../../document/shape.ts'
import { keyFrom } from '../context.ts'
import { nodesOf } from '../nodes.ts'
import { scopeOf } from '../scope.ts'
import { wayPast } from '../ways.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Performed } from '../../../run/source.ts'
import type { WorkflowDocument } from '../../document/model.ts'
import type { Act } from '../perform.ts'
import type { Standing, StepRows } from '../scope.ts'

/** The first path whose rule holds, else the default (contract §10). A rule that cannot be told fails the step, and names its path. */
async function performDecision(act: Act): Promise<Performed> {
  const { step, document } = act
  const usual = textMember(step.parameters, 'defaultEdgeId')
  const nameOf = (edge: string) => pathName(document, edge)
  const taken = (edge: string): Performed => ({ output: { edge, entry: { path: nameOf(edge) } } })
  const rules = memberOf(step.parameters, 'stepControlParams')
  for (const rule of Array.isArray(rules) ? rules.filter(isJsonObject) : []) {
    const edge = textMember(rule, 'edgeId')
    const text = textMember(rule, 'expressionText')
    // The default's own entry has an empty rule, and may stand anywhere in the list.
    if (text.trim() === '') continue
    try {
      if (await ruleHolds(act, text)) return taken(edge)
    } catch (error) {
      return ruleFailed(error, nameOf(edge))
    }
  }
  return usual === '' ? { output: null, failed: { reason: 'no_path', message: 'No rule holds, and there is no default path' } } : taken(usual)
}

/** Goes on only if its rule holds; with `stopOnMatch` only if it does not. */
async function performFilter(act: Act): Promise<Performed> {
  return onItsRule(act, (holds) => ({ passed: memberOf(act.step.parameters, 'stopOnMatch') === true ? !holds : holds }))
}

/** Leaves its loop at once if its rule holds. */
async function performBreak(act: Act): Promise<Performed> {
  return onItsRule(act, (holds) => ({ break: holds }))
}

async function onItsRule(act: Act, then: (holds: boolean) => JsonObject): Promise<Performed> {
  const rule = objectMember(act.step.parameters, 'stepControlParam')
  try {
    return { output: { entry: {}, ...then(await ruleHolds(act, textMember(rule, 'expressionText'))) } }
  } catch (error) {
    return ruleFailed(error, pathName(act.document, textMember(rule, 'edgeId') || (shapeOf(act.document).out.get(act.step.id)?.[0]?.id ?? '')))
  }
}

function pathName(document: WorkflowDocument, edge: string): string {
  return document.paths.find(({ id }) => id === edge)?.name ?? ''
}

/** The text of the contract (§12.2) for a rule that cannot be told. Throws what is no fault of the rule. */
function ruleFailed(error: unknown, path: string): Performed {
  if (!(error instanceof LanguageError)) throw error
  return { output: null, failed: { reason: 'rule_failed', message: `Error evaluating rule for path "${path}": ${error.message}` } }
}

/** Gives each of its variables the value for the branch that was taken. */
async function performJoin(act: Act): Promise<Performed> {
  const { parameters } = act.step
  const edge = await takenEdge(act)
  const sets = memberOf(parameters, 'variableSets')
  const values: [string, Json][] = (Array.isArray(sets) ? sets.filter(isJsonObject) : []).flatMap((set) => {
    const value = edge === null ? undefined : memberOf(objectMember(set, 'variables'), edge)
    return value === undefined ? [] : [[textMember(set, 'name'), value]]
  })
  const template: JsonObject = Object.fromEntries(values)
  const entry = fillTemplates(template, await scopeOf(act, templateRoots(template))) ?? {}
  return { output: { entry, input: entry } }
}

/** Which of the edges that a join names its decision has taken. */
async function takenEdge(act: Act): Promise<string | null> {
  const { document, rows, step, key } = act
  const nodes = nodesOf(document)
  const shape = shapeOf(document)
  const edges = memberOf(step.parameters, 'decisionEdgeIds')
  for (const edge of Array.isArray(edges) ? edges : []) {
    const from = document.paths.find(({ id }) => id === edge)?.from
    const decision = from === undefined ? undefined : nodes.steps.get(from)
    if (decision && edge === wayPast(shape, decision)) return edge
    const place = decision ? keyFrom(nodes, key, decision) : null
    const row = place === null ? null : await rows.one(place)
    if (typeof edge === 'string' && row && isJsonObject(row.output) && memberOf(row.output, 'edge') === edge) return edge
  }
  return null
}

/** Whether a rule holds where a step stands. Throws `LanguageError`. */
async function ruleHolds(
  standing: Standing,
  text: string,
  options: { extra?: ReadonlyMap<string, Json>; reading?: StepRows } = {},
): Promise<boolean> {
  const node = parseQuery(text)
  const names = new Set(queryVariables(node).map(({ segments }) => segments[0]))
  return queryHolds(node, await scopeOf(standing, names, options), standing.services.patterns)
}

export { performDecision, performFilter, performBreak, performJoin, ruleHolds }
