import { graphProblems } from '../../flow/check.ts'
import { compileRound, compileWorkflow } from '../job/compile.ts'
import { checkExtensions } from './extensions.ts'
import { parallelOf } from '../job/parallel.ts'
import { PatternRefused } from '../../../ports/patterns.ts'
import { parsePatternMatch, patternOf } from '../language/pattern-match.ts'
import { parseQuery, queryPatterns } from '../language/query-parser.ts'
import { LanguageError } from '../language/scope.ts'
import { checkTemplates } from '../language/template.ts'
import { isJsonObject, memberOf, objectMember, textMember } from './members.ts'
import { checkParameters } from './parameters.ts'
import { checkShape } from './shape.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Patterns } from '../../../ports/patterns.ts'
import type { Finding, WorkflowDocument, WorkflowPlugin, WorkflowStep } from './model.ts'

/** What a document may name: asked once for each thing. */
type Catalog = {
  /** The action (or trigger) of an installed plugin, or why there is none. */
  component(plugin: WorkflowPlugin, kind: 'action' | 'trigger'): Promise<CatalogComponent | { readonly missing: string }>
  /** Why the connection cannot be used for that plugin, or null. */
  connection(connection: number | string, plugin: WorkflowPlugin): Promise<string | null>
  /** Why that workflow cannot be run as a step, or null. */
  snippet(uid: string): Promise<string | null>
}

type CatalogComponent = {
  /** Inputs without which the plugin refuses a call; those with a default are not among them. */
  readonly required: readonly string[]
  readonly needsConnection: boolean
}

/** Everything that stands against activating a workflow (contract §5.3), all at once; empty when nothing does. */
async function validateDocument(document: WorkflowDocument, catalog: Catalog, patterns: Patterns): Promise<Finding[]> {
  const findings = [...checkShape(document), ...checkParameters(document), ...checkExtensions(document)]
  // One step after the other: whoever else needs patterns or the store gets a turn in between.
  for (const step of document.steps) {
    if (findings.length >= manyFindings) break
    findings.push(...(await checkTexts(step, patterns)))
  }
  for (const step of document.steps) {
    if (findings.length >= manyFindings) break
    findings.push(...(await checkNamed(step, catalog)))
  }
  return (findings.length > 0 ? findings : checkGraph(document)).slice(0, manyFindings)
}

/** More are not told: who mends a thousand sees the others then. */
const manyFindings = 1000

/** What the engine would refuse at the start of every job: too many nodes in all, a wait beyond its bounds. */
function checkGraph(document: WorkflowDocument): Finding[] {
  const rounds = document.steps.filter((step) => parallelOf(step) > 1).map((step) => compileRound(document, step))
  const problems = [compileWorkflow(document), ...rounds].flatMap((graph) => graphProblems(graph)).filter(({ severity }) => severity !== 'warning')
  return problems.map(({ path, message }) => ({ step: '', input: '', message: `the graph of the steps ${message} (${path})` }))
}

/** Rules, patterns and templates of a step. */
async function checkTexts(step: WorkflowStep, patterns: Patterns): Promise<Finding[]> {
  const findings: Finding[] = []
  const at = (input: string, message: string) => findings.push({ step: step.name, input, message })
  for (const { input, text } of rulesOf(step)) {
    try {
      const node = parseQuery(text)
      for (const pattern of queryPatterns(node)) {
        const refused = await patterns.check(pattern)
        if (refused) at(input, refused)
      }
    } catch (error) {
      at(input, messageOf(error))
    }
  }
  if (step.type === 'pattern_match') {
    try {
      const refused = await patterns.check(patternOf(parsePatternMatch(textMember(step.parameters, 'expressionText'))))
      if (refused) at('expressionText', refused)
    } catch (error) {
      at('expressionText', messageOf(error))
    }
  }
  for (const { input, message } of checkTemplates(templated(step))) at(input, message)
  return findings
}

/** The rules of a step with the member that each stands in. An empty rule is the default's own and is never tested. */
function rulesOf(step: WorkflowStep): { input: string; text: string }[] {
  const { parameters } = step
  const one = (value: Json | undefined, input: string) => (isJsonObject(value) ? [{ input, text: textMember(value, 'expressionText') }] : [])
  const many = (name: string, pick: (item: JsonObject) => Json | undefined = (item) => item) => {
    const list = memberOf(parameters, name)
    return Array.isArray(list)
      ? list.flatMap((item, index) => one(isJsonObject(item) ? pick(item) : undefined, `${name}.${index}.expressionText`))
      : []
  }
  if (step.type === 'automated_decision') return many('stepControlParams').filter(({ text }) => text.trim() !== '')
  if (step.type === 'filter' || step.type === 'break') return one(memberOf(parameters, 'stepControlParam'), 'stepControlParam.expressionText')
  if (step.type === 'helpers' && textMember(parameters, 'helperIdentifier') === 'lookup_global_artifacts') {
    const text = textMember(parameters, 'expressionText') || textMember(objectMember(parameters, 'input'), 'expressionText')
    return [{ input: 'expressionText', text }]
  }
  if (step.type !== 'loop') return []
  const name = memberOf(parameters, 'customOutput') === undefined ? 'customOutputs' : 'customOutput'
  return many(name, (item) => memberOf(item, 'input')).filter(({ text }) => text.trim() !== '')
}

/** What of a step is templated; rules hold `{{…}}` too, in a language of their own. */
function templated(step: WorkflowStep): JsonObject {
  return Object.fromEntries(
    Object.entries(step.parameters).flatMap(([name, value]) => {
      if (customOutputs.has(name) && Array.isArray(value)) return [[name, value.map(valueOfOutput)]]
      return templatedMembers.has(name) || (step.type === 'loop' ? countedMembers.has(name) : name === 'content') ? [[name, value]] : []
    }),
  )
}

const templatedMembers: ReadonlySet<string> = new Set(['input', 'repeatVariable', 'variableSets', 'message', 'question'])
const countedMembers: ReadonlySet<string> = new Set(['repeatCount', 'repeatDelay'])
const customOutputs: ReadonlySet<string> = new Set(['customOutput', 'customOutputs'])

function valueOfOutput(output: Json): Json {
  return { input: { value: isJsonObject(output) ? (memberOf(objectMember(output, 'input'), 'value') ?? null) : null } }
}

async function checkNamed(step: WorkflowStep, catalog: Catalog): Promise<Finding[]> {
  const findings: Finding[] = []
  const at = (input: string, message: string) => findings.push({ step: step.name, input, message })
  if (step.type === 'snippet') {
    const why = await catalog.snippet(textMember(step.parameters, 'workflow_uid'))
    if (why) at('workflow_uid', why)
  }
  if (step.type !== 'action' && !(step.type === 'trigger' && step.plugin)) return findings
  if (!step.plugin || step.plugin.name === '' || step.plugin.identifier === '')
    return [{ step: step.name, input: '', message: 'the step names no plugin and action' }]
  const component = await catalog.component(step.plugin, step.type === 'action' ? 'action' : 'trigger')
  if ('missing' in component) {
    at('', component.missing)
    const why = step.connection === null ? null : await catalog.connection(step.connection, step.plugin)
    if (why) at('connection', why)
    return findings
  }
  const input = objectMember(step.parameters, 'input')
  for (const name of component.required) if (isMissing(memberOf(input, name))) at(name, 'this input is required')
  if (step.connection !== null) {
    const why = await catalog.connection(step.connection, step.plugin)
    if (why) at('connection', why)
  } else if (component.needsConnection) at('connection', `the plugin ${step.plugin.vendor}/${step.plugin.name} needs a connection`)
  return findings
}

function isMissing(value: Json | undefined): boolean {
  return value === undefined || value === null || value === ''
}

function messageOf(error: unknown): string {
  if (error instanceof LanguageError) return error.position === null ? error.message : `${error.message} (character ${error.position + 1})`
  if (error instanceof PatternRefused) return error.message
  throw error
}

export type { Catalog, CatalogComponent }
export { validateDocument }
