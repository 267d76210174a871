import { fault } from '../../kernel/fault.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { jobDraft } from '../start.ts'
import { declaredVariables } from '../variables.ts'
import { workflowSpecOf } from '../spec.ts'
import { performed } from './compile.ts'
import { repeatsByItsPlugin } from './interruption.ts'
import { recoversCalls, releaseCalls } from './kept-calls.ts'
import { performStep } from './perform.ts'
import { roundKind } from '../../run/round-kind.ts'
import { roundDraft, widthOf } from './round.ts'
import { heldOn } from '../../access/held.ts'
import type { Json } from '../../kernel/json.ts'
import type { Principal } from '../../identity/principal.ts'
import type { RunSource } from '../../run/source.ts'

/** Jobs: their steps are carried out here, sub-workflows are runs of their own. */
const workflowSource: RunSource = {
  kind: 'workflow',
  place: () => ({ runtime: 'none', places: [] }),
  work: () => Promise.reject(fault('unsupported', { what: 'Work of a workflow itself', why: 'its steps call plugins and operations' })),
  perform: (services, run, step, node, inside) => (node.operation === performed ? performStep(services, run, step, inside) : undefined),
  repeats: async (services, run, step) => (await recoversCalls(services, run, step)) || repeatsByItsPlugin(services, run, step),
  settled: releaseCalls,
  async child(services, run, node, input: Json, starter: Principal) {
    const document = await services.workflows.document(run)
    const draft = isJsonObject(node.draft) ? textMember(node.draft, 'step') : ''
    const step = document.steps.find(({ id }) => id === draft)
    if (step && isJsonObject(node.draft) && memberOf(node.draft, 'round') === true)
      return roundDraft(run, document, step, isJsonObject(input) ? input : {})
    const uid = textMember(step?.parameters ?? {}, 'workflow_uid')
    const row = await services.store.reader.resources.byId(uid)
    const spec = row?.kind === 'workflow' && row.deleted_at === null ? workflowSpecOf(row) : null
    const visible = row && spec ? await heldOn(services.store.reader, row, viewer(starter)) : null
    const version = spec?.active && (visible?.level === 'execute' || visible?.level === 'write' || visible?.level === 'admin') ? spec.published : null
    const child = version ? await services.workflows.ofVersion(version) : null
    if (!row || !version || !child) throw fault('not_found', { kind: 'active snippet', reference: uid })
    const message = isJsonObject(input) ? input : {}
    // A snippet that runs itself would never end: the depth is that of its parents.
    const depth = Number(memberOf(run.spec, 'depth') ?? 0) + 1
    if (depth > 8)
      throw fault('state_conflict', {
        what: `The snippet "${row.name}"`,
        state: 'inside of itself',
        next: 'Sub-workflows are nested at most 8 deep.',
      })
    const made = jobDraft(
      services.ids.opaque(),
      row,
      { id: version, document: child },
      { message, type: 'active', outputs: declaredVariables(child, message) },
    )
    const width = widthOf(run)
    return { ...made, spec: { ...made.spec, depth, ...(width > 1 ? { width } : {}) } }
  },
}

/** Rounds of a loop with `parallel`: what their jobs are begins them again. */
const roundSource: RunSource = { ...workflowSource, kind: roundKind, ownsRepetition: true }

function viewer({ id, administrator }: Principal) {
  return { userId: id, administrator }
}

export { workflowSource, roundSource }
