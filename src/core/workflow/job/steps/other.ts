import { timestamp } from '../../../kernel/clock.ts'
import { invoke } from '../../../operation/invoke.ts'
import { starterOf } from '../../../run/starter.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { matchPattern, parsePatternMatch } from '../../language/pattern-match.ts'
import { fillTemplates, renderTemplate, templateRoots } from '../../language/template.ts'
import { textOf } from '../../language/path.ts'
import { askedIn, isApproval } from '../approval.ts'
import { stepKey } from '../context.ts'
import { scopeOf } from '../scope.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Performed } from '../../../run/source.ts'
import type { Act } from '../perform.ts'

/** Renders content and keeps it with the job. */
async function performArtifact(act: Act): Promise<Performed> {
  const { step, services } = act
  const template = textMember(objectMember(step.parameters, 'input'), 'content') || textMember(step.parameters, 'content')
  const content = renderTemplate(template, await scopeOf(act, templateRoots(template)))
  const artifact: JsonObject = {
    artifact_id: services.ids.record(),
    step_uid: step.id,
    name: step.name,
    type: textMember(step.parameters, 'type') || 'markdown',
    content,
    created_at: timestamp(services.clock.now()),
  }
  return { output: { entry: {}, artifact } }
}

/** What a pattern finds in a text; the job goes on without a match. */
async function performPattern(act: Act): Promise<Performed> {
  const { parameters } = act.step
  const template = memberOf(parameters, 'input') ?? ''
  const text = textOf(fillTemplates(template, await scopeOf(act, templateRoots(template))))
  const options = { captureAll: memberOf(parameters, 'captureAll') === true, ignoreCase: memberOf(parameters, 'ignoreCase') === true }
  const entry = await matchPattern(parsePatternMatch(textMember(parameters, 'expressionText')), text, options, act.services.patterns)
  return { output: { entry, input: { input: text } } }
}

/** Appends to a list that workflows share, or looks rows of it up. */
async function performHelper(act: Act): Promise<Performed> {
  const { parameters } = act.step
  const artifact = listNamed(memberOf(parameters, 'globalArtifact'))
  if (textMember(parameters, 'helperIdentifier') === 'append_global_artifacts') {
    const template = memberOf(objectMember(parameters, 'input'), 'value') ?? {}
    const value = fillTemplates(template, await scopeOf(act, templateRoots(template))) ?? null
    await asStarter(act, 'artifact.append', { artifact, value })
    return { output: { entry: {}, input: { value } } }
  }
  const text = textMember(parameters, 'expressionText') || textMember(objectMember(parameters, 'input'), 'expressionText')
  const roots = templateRoots(text)
  const scope = await scopeOf(act, roots)
  const found = await asStarter(act, 'artifact.look-up', {
    artifact,
    rule: text,
    values: Object.fromEntries([...roots].map((name) => [name, scope.root(name) ?? null])),
  })
  return { output: { entry: found as JsonObject } } // shape: the operation's output, an object
}

/** A shared list as a step names it: by id or name, or by an object that has one of them. */
function listNamed(value: Json | undefined): string {
  return isJsonObject(value) ? textMember(value, 'id') || textMember(value, 'name') : textOf(value)
}

/** The input of a sub-workflow. */
async function performInput(act: Act): Promise<Performed> {
  const template = objectMember(act.step.parameters, 'input')
  const input = fillTemplates(template, await scopeOf(act, templateRoots(template))) ?? {}
  return { output: { input } }
}

/** Tells those who may decide that a job waits for them. */
async function performNotify(act: Act): Promise<Performed> {
  const sent = await asStarter(act, 'workflow.notify', { run: act.run.id, step: act.step.name, users: await askedBy(act) })
  return { output: sent }
}

async function askedBy({ step, row, rows }: Act): Promise<Json> {
  if (!isApproval(step)) return memberOf(objectMember(step.parameters, 'notifications'), 'userIdsForEmail') ?? []
  const output = (await rows.one(`${stepKey(row)}~input`))?.output ?? null
  return askedIn(isJsonObject(output) ? (memberOf(output, 'input') ?? null) : null)
}

async function asStarter(act: Act, operation: string, input: Json): Promise<Json> {
  const principal = await starterOf(act.services, act.run)
  const origin = { via: 'run', peer: '', requestId: `${act.run.id}/${act.row.key}` }
  return invoke<Json>(act.services, { principal, origin, signal: act.signal }, operation, input)
}

export { performArtifact, performPattern, performHelper, performInput, performNotify }
