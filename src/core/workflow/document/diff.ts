import { canonical } from '../../kernel/json.ts'
import type { WorkflowDocument, WorkflowPath, WorkflowStep } from './model.ts'

/** One thing that is different in a later version. `members` names what of it has changed; empty when it is new or gone. */
type Difference = {
  readonly what: 'workflow' | 'step' | 'path'
  readonly id: string
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed'
  readonly members: readonly string[]
}

/** What the second version has otherwise than the first, in the order of the documents. */
function documentDiff(before: WorkflowDocument, after: WorkflowDocument): Difference[] {
  const head = (document: WorkflowDocument) => ({
    name: document.name,
    description: document.description,
    type: document.type,
    tags: document.tags,
    parameters: document.parameters,
  })
  const members = differing(head(before), head(after))
  const own: Difference[] = members.length === 0 ? [] : [{ what: 'workflow', id: '', name: after.name, change: 'changed', members }]
  return [...own, ...partsDiff('step', before.steps, after.steps, stepMembers), ...partsDiff('path', before.paths, after.paths, pathMembers)]
}

type Part = { readonly id: string; readonly name: string }

function partsDiff<Kind extends Part>(
  what: 'step' | 'path',
  before: readonly Kind[],
  after: readonly Kind[],
  members: (part: Kind) => object,
): Difference[] {
  const earlier = new Map(before.map((part) => [part.id, part]))
  const later = new Set(after.map(({ id }) => id))
  const changed = after.flatMap((part): Difference[] => {
    const { id, name } = part
    const old = earlier.get(id)
    if (!old) return [{ what, id, name, change: 'added', members: [] }]
    const names = differing(members(old), members(part))
    return names.length === 0 ? [] : [{ what, id, name, change: 'changed', members: names }]
  })
  const removed = before.filter(({ id }) => !later.has(id)).map(({ id, name }): Difference => ({ what, id, name, change: 'removed', members: [] }))
  return [...changed, ...removed]
}

function stepMembers({ kept: _, id: __, ...members }: WorkflowStep): object {
  return members
}

function pathMembers({ kept: _, id: __, ...members }: WorkflowPath): object {
  return members
}

function differing(before: object, after: object): string[] {
  const earlier = new Map(Object.entries(before))
  return Object.entries(after)
    .filter(([name, value]) => canonical(value) !== canonical(earlier.get(name)))
    .map(([name]) => name)
}

export type { Difference }
export { documentDiff }
