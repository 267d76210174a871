import type { Json } from '../kernel/json.ts'
import { evaluate, evaluateCondition, names } from './expression.ts'
import type { ExpressionContext, Names } from './expression.ts'
import type { Term } from './expression-parser.ts'
import { keyOf, phases, scopeOf } from './state.ts'
import type { Frame, LoopView } from './state.ts'
import { fill, templateNames } from './template.ts'
import type { ParsedTemplate } from './template.ts'

/** Where values come from: the run's input, outputs that no row shows yet, and rows. */
type Source = {
  readonly input: Json
  readonly fresh: ReadonlyMap<string, Json | undefined>
  readonly read: (key: string) => Promise<Json | undefined>
}

/** The value of an expression of a node of `frame`. `loop` is what the word means there when it is not the frame's own. */
async function value(source: Source, frame: Frame, term: Term, loop: LoopView | null = frame.loop): Promise<Json> {
  return evaluate(
    term,
    await context(
      source,
      frame,
      neededBy(term, () => names(term)),
      loop,
    ),
  )
}

async function condition(source: Source, frame: Frame, term: Term, loop: LoopView | null = frame.loop): Promise<boolean> {
  return evaluateCondition(
    term,
    await context(
      source,
      frame,
      neededBy(term, () => names(term)),
      loop,
    ),
  )
}

/** A template of a node, filled with what is visible in `frame`. */
async function filled(source: Source, frame: Frame, template: ParsedTemplate): Promise<Json> {
  if (template.kind === 'plain') return template.value
  return fill(
    template,
    await context(
      source,
      frame,
      neededBy(template, () => templateNames(template)),
      frame.loop,
    ),
  )
}

const known = new WeakMap<object, Names>()

function neededBy(owner: object, find: () => Names): Names {
  const found = known.get(owner) ?? find()
  known.set(owner, found)
  return found
}

async function context(source: Source, frame: Frame, needed: Names, loop: LoopView | null): Promise<ExpressionContext> {
  const steps: [string, Json][] = []
  const previous: [string, Json][] = []
  for (const id of needed.steps) {
    const output = await outputOf(source, frame, id)
    if (output !== undefined) steps.push([id, { output }])
  }
  const round = needed.previous.size > 0 ? nearestRound(frame) : null
  for (const id of needed.previous) {
    const output = round && round.round > 1 ? await recorded(source, `${scopeOf(round)}/${round.round - 1}/${id}`) : undefined
    if (output !== undefined) previous.push([id, { output }])
  }
  // fromEntries, because ids come from users and may be called `__proto__`.
  return { input: source.input, steps: Object.fromEntries(steps), previous: Object.fromEntries(previous), ...(loop && { loop: viewOf(loop) }) }
}

// A name means the nearest step of that name, from the inside out, as in any language with blocks.
async function outputOf(source: Source, from: Frame, id: string): Promise<Json | undefined> {
  for (let frame: Frame | undefined = from; frame; frame = frame.parent?.frame) {
    const at = frame.plan.index.get(id)
    if (at === undefined) continue
    if (frame.phase[at] !== phases.ended) return undefined
    return recorded(source, keyOf(frame, at))
  }
  return undefined
}

// A row cannot tell an output of null from none, so here they are the same: not there.
async function recorded(source: Source, key: string): Promise<Json | undefined> {
  const output = source.fresh.has(key) ? source.fresh.get(key) : await source.read(key)
  return output ?? undefined
}

function nearestRound(from: Frame): Frame | null {
  let frame: Frame | undefined = from
  while (frame?.parent && frame.parent.frame.plan.nodes[frame.parent.index]?.node.kind !== 'loop') frame = frame.parent.frame
  return frame?.parent ? frame : null
}

function viewOf(view: LoopView): Json {
  const { index, item, outer } = view
  return { index, round: index + 1, ...(item !== undefined && { item }), ...(outer && { parent: viewOf(outer) }) }
}

export type { Source }
export { value, condition, filled }
