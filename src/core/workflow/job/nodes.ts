import type { WorkflowDocument, WorkflowStep } from '../document/model.ts'

/** What a node of the graph does for its step. `main` is the step itself; the others come before or after it, or carry out its rounds. */
type Part = 'main' | 'items' | 'delay' | 'pause' | 'input' | 'notify' | 'outputs' | 'lanes' | 'lane' | 'joined'

/** Which node of the compiled graph stands for which step. The same for the same document, so that nothing has to be stored. */
type Nodes = {
  readonly document: WorkflowDocument
  readonly steps: ReadonlyMap<string, WorkflowStep>
  /** The node of a step, by its id. */
  nodeOf(step: string): string
  /** The step and part that a node stands for; null for none. */
  stepOf(node: string): { readonly step: WorkflowStep; readonly part: Part } | null
  /** A step by how templates name it: by name in `kom`, by id in `icon`. */
  named(name: string): WorkflowStep | null
  /** What templates name the steps right inside of a loop, which they name too; null where there is no such loop. */
  inside(loop: string): ReadonlySet<string> | null
}

const plain = /^[A-Za-z0-9_.$-]{1,80}$/
const parts: ReadonlySet<string> = new Set<Part>(['items', 'delay', 'pause', 'input', 'notify', 'outputs', 'lanes', 'lane', 'joined'])

const known = new WeakMap<WorkflowDocument, Nodes>()

/** The nodes of a document. */
function nodesOf(document: WorkflowDocument): Nodes {
  const before = known.get(document)
  if (before) return before
  const steps = new Map(document.steps.map((step) => [step.id, step]))
  // Ids come from files and may hold anything; a node's id is part of keys and expressions.
  const nodes = new Map(document.steps.map((step, index) => [step.id, plain.test(step.id) ? step.id : `step:${index}`]))
  const back = new Map(document.steps.map((step) => [nodes.get(step.id) ?? '', step]))
  const nameOf = (step: WorkflowStep) => (document.format === 'kom' ? step.name : step.id)
  const names = new Map<string, WorkflowStep>()
  for (const step of document.steps) {
    const name = nameOf(step)
    if (name !== '' && !names.has(name)) names.set(name, step)
  }
  const inner = new Map<string, ReadonlySet<string>>()
  const made: Nodes = {
    document,
    steps,
    nodeOf: (step) => nodes.get(step) ?? step,
    stepOf(node) {
      const own = back.get(node)
      if (own) return { step: own, part: 'main' }
      const cut = node.lastIndexOf('~')
      const part = node.slice(cut + 1).replace(/^lane\d+$/, 'lane')
      const step = back.get(node.slice(0, Math.max(cut, 0)))
      return step && isPart(part) ? { step, part } : null
    },
    named: (name) => names.get(name) ?? null,
    inside(loop) {
      const step = names.get(loop)
      if (step?.type !== 'loop') return null
      const found = inner.get(loop) ?? new Set(document.steps.filter(({ parent }) => parent === step.id).map(nameOf))
      inner.set(loop, found)
      return found
    },
  }
  known.set(document, made)
  return made
}

/** The node of a part of a step. */
function partOf(node: string, part: Part): string {
  return part === 'main' ? node : `${node}~${part}`
}

/** The loops that a step is in, outermost first. */
function loopsOf(nodes: Nodes, step: WorkflowStep): WorkflowStep[] {
  const loops: WorkflowStep[] = []
  for (let at = nodes.steps.get(step.parent); at && loops.length < 10; at = nodes.steps.get(at.parent)) loops.unshift(at)
  return loops
}

function isPart(part: string): part is Part {
  return parts.has(part)
}

export type { Nodes, Part }
export { nodesOf, partOf, loopsOf }
