import type { Json } from '../kernel/json.ts'
import { collectNames, evaluate, newBudget, sizeIn, textIn } from './expression.ts'
import type { Budget, ExpressionContext, Names } from './expression.ts'
import { ExpressionError, parseAt } from './expression-parser.ts'
import type { Term } from './expression-parser.ts'

/** A template that was read once and can be filled often. */
type ParsedTemplate =
  | { readonly kind: 'plain'; readonly value: Json }
  | { readonly kind: 'value'; readonly term: Term }
  | { readonly kind: 'text'; readonly parts: readonly (string | Term)[] }
  | { readonly kind: 'list'; readonly items: readonly ParsedTemplate[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, ParsedTemplate])[] }

/** Characters of all text that one filling makes, and how deep a template nests. */
const templateLimits = { text: 10 * 1024 * 1024, nesting: 64 } as const

/**
 * Json with every `{{expression}}` inside its strings filled in: as text, or, when the string is one tag and nothing else, as the value with its type.
 * Members' names are never filled, and results are not filled again. Write `{{'{{'}}` for the two braces themselves. Throws `ExpressionError` only.
 */
function fill(template: Json | ParsedTemplate, context: ExpressionContext): Json {
  const parsed = isParsed(template) ? template : parseTemplate(template)
  return fillPart(parsed, context, { ...newBudget(), text: templateLimits.text })
}

/** Reads a template; without any tag in it the result is `plain` and costs nothing to fill. */
function parseTemplate(template: Json, nesting = 0): ParsedTemplate {
  if (nesting > templateLimits.nesting) throw new ExpressionError('too_much', 0, `a template nests at most ${templateLimits.nesting} levels`)
  let parsed: ParsedTemplate | null = null
  if (typeof template === 'string') parsed = parseText(template)
  else if (Array.isArray(template)) parsed = { kind: 'list', items: template.map((item) => parseTemplate(item, nesting + 1)) }
  else if (template !== null && typeof template === 'object') {
    parsed = { kind: 'object', members: Object.entries(template).map(([name, value]) => [name, parseTemplate(value, nesting + 1)] as const) }
  }
  parsed = markParsed(parsed && !isPlain(parsed) ? parsed : { kind: 'plain', value: template })
  return parsed
}

/** Which step outputs a template needs. */
function templateNames(template: ParsedTemplate): Names {
  const found = { steps: new Set<string>(), previous: new Set<string>() }
  for (const term of terms(template)) collectNames(term, found)
  return found
}

// A parsed template is told from a Json value that merely looks like one by identity, because the Json comes from users.
const parsedTemplates = new WeakSet<object>()

function markParsed(parsed: ParsedTemplate): ParsedTemplate {
  parsedTemplates.add(parsed)
  return parsed
}

function isParsed(template: Json | ParsedTemplate): template is ParsedTemplate {
  return typeof template === 'object' && template !== null && parsedTemplates.has(template)
}

function isPlain(parsed: ParsedTemplate): boolean {
  if (parsed.kind === 'list') return parsed.items.every((item) => item.kind === 'plain')
  if (parsed.kind === 'object') return parsed.members.every(([, member]) => member.kind === 'plain')
  return parsed.kind === 'plain'
}

function* terms(template: ParsedTemplate): Generator<Term> {
  if (template.kind === 'value') yield template.term
  else if (template.kind === 'text') yield* template.parts.filter((part) => typeof part !== 'string')
  else if (template.kind === 'list') for (const item of template.items) yield* terms(item)
  else if (template.kind === 'object') for (const [, member] of template.members) yield* terms(member)
}

function parseText(text: string): ParsedTemplate {
  const parts: (string | Term)[] = []
  let at = 0
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', at)) {
    if (open > at) parts.push(text.slice(at, open))
    const { term, end } = parseAt(text, open + 2)
    const close = text.indexOf('}}', end)
    if (close < 0 || text.slice(end, close).trim() !== '') throw new ExpressionError('syntax', end, 'here "}}" should close the expression')
    parts.push(term)
    at = close + 2
  }
  if (parts.length === 0) return { kind: 'plain', value: text }
  if (at < text.length) parts.push(text.slice(at))
  const [only] = parts
  return parts.length === 1 && only !== undefined && typeof only !== 'string' ? { kind: 'value', term: only } : { kind: 'text', parts }
}

type FillBudget = Budget & { text: number }

function fillPart(template: ParsedTemplate, context: ExpressionContext, budget: FillBudget): Json {
  switch (template.kind) {
    case 'plain':
      return template.value
    case 'value': {
      // Paid for by size although nothing is copied: named a thousand times, an output would be a thousand times as long in the row.
      const value = evaluate(template.term, context, budget)
      spend(sizeIn(value, template.term.at, budget), budget)
      return value
    }
    case 'text':
      return template.parts.map((part) => textOf(part, context, budget)).join('')
    case 'list':
      return template.items.map((item) => fillPart(item, context, budget))
    case 'object':
      // fromEntries makes own members of every name, `__proto__` too.
      return Object.fromEntries(template.members.map(([name, member]) => [name, fillPart(member, context, budget)]))
  }
}

function textOf(part: string | Term, context: ExpressionContext, budget: FillBudget): string {
  const text = typeof part === 'string' ? part : textIn(evaluate(part, context, budget), part.at, budget)
  spend(text.length, budget)
  return text
}

function spend(length: number, budget: FillBudget): void {
  budget.text -= length
  if (budget.text < 0) throw new ExpressionError('too_much', 0, `the filled text is longer than ${templateLimits.text} characters`)
}

export type { ParsedTemplate }
export { templateLimits, fill, parseTemplate, templateNames }
