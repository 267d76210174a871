import { follow, memberOf, textOf } from './path.ts'
import { LanguageError, standardBudget } from './scope.ts'
import { parseTemplate } from './template-parser.ts'
import type { Json } from '../../kernel/json.ts'
import type { Block, Branch, Operand, Part, TagsLeft } from './template-parser.ts'
import type { Budget, Scope } from './scope.ts'

/** How often the text that a template may make it may look at to compare. */
const comparedTimes = 10

/** The element that a block stands on; `position` only inside of `#each`. */
type Frame = {
  readonly value: Json | undefined
  readonly position: { readonly index: number; readonly key: string | null; readonly count: number } | null
  /** Names that are looked up no further out: a round in which a step did not run has no entry of it, and no other round's either. */
  readonly own: ReadonlySet<string> | null
  readonly outer: Frame | null
}

type Rendering = TagsLeft & {
  readonly scope: Scope
  readonly roots: Map<string, Json | undefined>
  characters: number
  rounds: number
  compared: number
}

/**
 * A document with every string in it rendered (members and elements, not names). A string that is one reference and nothing else becomes the value itself;
 * where there is none the member is left out, and an element is null. Results are not rendered again. Throws `LanguageError`. Contract §11.3.
 */
function fillTemplates(value: Json, scope: Scope, budget: Budget = standardBudget): Json | undefined {
  return fill(value, rendering(scope, budget), 0, budget)
}

/** A template as text, blocks and all. Throws `LanguageError`. */
function renderTemplate(text: string, scope: Scope, budget: Budget = standardBudget): string {
  const state = rendering(scope, budget)
  return render(parseTemplate(text, state), state, null)
}

/** What is wrong with the templates in a document: where (as `a.b.0`), and what. */
function checkTemplates(value: Json, where = ''): { readonly input: string; readonly message: string }[] {
  const found: { input: string; message: string }[] = []
  const left = { tags: standardBudget.tags }
  walkStrings(value, where, (text, at) => {
    try {
      parseTemplate(text, left)
    } catch (error) {
      if (!(error instanceof LanguageError)) throw error
      found.push({ input: at, message: error.position === null ? error.message : `${error.message} (character ${error.position + 1})` })
    }
  })
  return found
}

/** The first segments of all paths in a document: steps, `$job`, `$workflow`, and below `#each` members as well. Strings that do not parse give none. */
function templateRoots(value: Json): Set<string> {
  const roots = new Set<string>()
  const left = { tags: standardBudget.tags }
  walkStrings(value, '', (text) => {
    try {
      rootsOf(parseTemplate(text, left), roots)
    } catch (error) {
      if (!(error instanceof LanguageError)) throw error
    }
  })
  return roots
}

function rendering(scope: Scope, budget: Budget): Rendering {
  return {
    scope,
    roots: new Map(),
    characters: budget.characters,
    rounds: budget.rounds,
    compared: comparedTimes * budget.characters,
    tags: budget.tags,
  }
}

function fill(value: Json, state: Rendering, depth: number, budget: Budget): Json | undefined {
  if (typeof value === 'string') return value.includes('{{') ? fillText(value, state) : value
  if (value === null || typeof value !== 'object') return value
  if (depth > 4 * budget.nesting) throw new LanguageError('the input is nested too deeply')
  if (Array.isArray(value)) return value.map((element) => fill(element, state, depth + 1, budget) ?? null)
  const filled: [string, Json][] = []
  for (const [name, member] of Object.entries(value)) {
    const result = fill(member, state, depth + 1, budget)
    if (result !== undefined) filled.push([name, result])
  }
  return Object.fromEntries(filled)
}

function fillText(text: string, state: Rendering): Json | undefined {
  const parts = parseTemplate(text, state)
  const [only] = parts
  if (parts.length === 1 && only?.kind === 'value') {
    const value = evaluate(only.value, state, null)
    // Counted by its length as text, or an input that repeats one large value could grow without a bound.
    if (value !== null && typeof value === 'object') spend(state, JSON.stringify(value).length)
    else if (typeof value === 'string') spend(state, value.length)
    return value
  }
  return render(parts, state, null)
}

function render(parts: readonly Part[], state: Rendering, frame: Frame | null): string {
  const texts: string[] = []
  for (const part of parts) {
    if (part.kind === 'text') {
      spend(state, part.text.length)
      texts.push(part.text)
    } else if (part.kind === 'value') {
      const text = textOf(evaluate(part.value, state, frame))
      spend(state, text.length)
      texts.push(text)
    } else texts.push(renderBlock(part, state, frame))
  }
  return texts.join('')
}

function renderBlock(block: Block, state: Rendering, frame: Frame | null): string {
  for (const branch of block.branches) {
    const text = renderBranch(branch, state, frame)
    if (text !== null) return text
  }
  return render(block.otherwise, state, frame)
}

/** Null when the branch is not taken. */
function renderBranch(branch: Branch, state: Rendering, frame: Frame | null): string | null {
  const [first, second] = branch.operands.map((operand) => evaluate(operand, state, frame))
  if (branch.name === 'each') return renderEach(branch, first, state, frame)
  const taken = branch.name === 'equal' ? same(first, second, state) : branch.name === 'unless' ? !holds(first) : holds(first)
  if (!taken) return null
  nextRound(state)
  return render(branch.parts, state, branch.name === 'with' ? { value: first, position: null, own: null, outer: frame } : frame)
}

/** Whether two values have the same text. What is looked at leaves nothing in the output, so it is counted by itself. */
function same(first: Json | undefined, second: Json | undefined, state: Rendering): boolean {
  const [one, other] = [textOf(first), textOf(second)]
  state.compared -= one.length + other.length
  if (state.compared < 0) throw new LanguageError('the template compares more text than it may compare')
  return one === other
}

function renderEach(branch: Branch, list: Json | undefined, state: Rendering, outer: Frame | null): string | null {
  if (list === null || typeof list !== 'object') return null
  const elements: [string | null, Json][] = Array.isArray(list) ? list.map((element) => [null, element]) : Object.entries(list)
  if (elements.length === 0) return null
  const own = roundsOf(branch.operands[0], state)
  const texts: string[] = []
  for (const [index, [key, value]] of elements.entries()) {
    nextRound(state)
    texts.push(render(branch.parts, state, { value, position: { index, key, count: elements.length }, own, outer }))
  }
  return texts.join('')
}

/** What the elements of `[loop].[$outputs]` have members for. */
function roundsOf(operand: Operand | undefined, { scope }: Rendering): ReadonlySet<string> | null {
  if (!operand || !('segments' in operand)) return null
  const [loop, last] = operand.segments.slice(-2)
  return loop !== undefined && last === '$outputs' ? (scope.inside?.(loop) ?? null) : null
}

function evaluate(operand: Operand, state: Rendering, frame: Frame | null): Json | undefined {
  if (operand.kind === 'constant') return operand.value
  if (operand.kind === 'at') return positionOf(operand.name, frame)
  if (operand.kind === 'this') return follow(outwards(frame, operand.up)?.value, operand.segments)
  if (operand.kind === 'outer') return lookUp(operand.segments, state, outwards(frame, operand.up))
  if (operand.kind === 'path') return lookUp(operand.segments, state, frame)
  const key = evaluate(operand.key, state, frame)
  return typeof key === 'string' || typeof key === 'number' ? memberOf(evaluate(operand.of, state, frame), String(key)) : undefined
}

/** The innermost element that has the first name as a member of its own decides; then the roots. */
function lookUp(segments: readonly [string, ...string[]], state: Rendering, frame: Frame | null): Json | undefined {
  const [first, ...rest] = segments
  for (let current = frame; current; current = current.outer) {
    const member = memberOf(current.value, first)
    if (member !== undefined) return follow(member, rest)
    if (current.own?.has(first)) return undefined
  }
  if (!state.roots.has(first)) state.roots.set(first, state.scope.root(first))
  return follow(state.roots.get(first), rest)
}

function outwards(frame: Frame | null, up: number): Frame | null {
  let current = frame
  for (let step = 0; step < up && current; step++) current = current.outer
  return current
}

function positionOf(name: string, frame: Frame | null): Json | undefined {
  let current = frame
  while (current && !current.position) current = current.outer
  const position = current?.position
  if (!position) return undefined
  if (name === 'index') return position.index
  if (name === 'key') return position.key ?? position.index
  if (name === 'first') return position.index === 0
  return name === 'last' ? position.index === position.count - 1 : undefined
}

/** Contract §11.4: nothing, 0, an empty text and an empty list do not hold; an empty object does. */
function holds(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false
  return !(Array.isArray(value) && value.length === 0)
}

function spend(state: Rendering, characters: number): void {
  state.characters -= characters
  if (state.characters < 0) throw new LanguageError('the text becomes larger than a template may make it')
}

function nextRound(state: Rendering): void {
  if (--state.rounds < 0) throw new LanguageError('the template has more rounds than it may have')
}

function walkStrings(value: Json, where: string, visit: (text: string, where: string) => void): void {
  const open: [Json, string][] = [[value, where]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [current, at] = next
    if (typeof current === 'string') visit(current, at)
    else if (current !== null && typeof current === 'object') {
      for (const [name, member] of Object.entries(current).reverse()) open.push([member, at === '' ? name : `${at}.${name}`])
    }
  }
}

function rootsOf(parts: readonly Part[], roots: Set<string>): void {
  for (const part of parts) {
    if (part.kind === 'value') rootOf(part.value, roots)
    if (part.kind !== 'block') continue
    for (const branch of part.branches) {
      for (const operand of branch.operands) rootOf(operand, roots)
      rootsOf(branch.parts, roots)
    }
    rootsOf(part.otherwise, roots)
  }
}

function rootOf(operand: Operand, roots: Set<string>): void {
  if (operand.kind === 'path' || operand.kind === 'outer') roots.add(operand.segments[0])
  if (operand.kind !== 'lookup') return
  rootOf(operand.of, roots)
  rootOf(operand.key, roots)
}

export { fillTemplates, renderTemplate, checkTemplates, templateRoots }
