import { sleep } from '../../kernel/clock.ts'
import { fault } from '../../kernel/fault.ts'
import { isJsonObject, memberOf } from '../document/members.ts'
import { evaluateQuery } from '../language/query.ts'
import { parseQuery } from '../language/query-parser.ts'
import { LanguageError } from '../language/scope.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { QueryNode } from '../language/query-parser.ts'

const longestRule = 2048
const rowsAtOnce = 250
/** What a look-up gives at most; beyond it says so. */
const mostResults = 1000
const mostCharacters = 1024 * 1024
// No name of a step can be this: names of files have no such character.
const rowRoot = '\u{1}row'

/**
 * The rows of a shared list for which a rule holds, as `'field' = {{…}}` (contract §10): a quoted text on the left of a comparison is a member of the row,
 * what stands in braces is one of `values`. A row without such a member has null there. Throws `malformed_request` where the rule cannot be read.
 */
async function lookUp(ctx: Ctx, artifactId: string, rule: string, values: JsonObject): Promise<{ found: boolean; results: Json[] }> {
  const { node, fields } = readRule(rule)
  const results: Json[] = []
  let characters = 0
  let after: readonly (string | number)[] | null = null
  do {
    ctx.signal.throwIfAborted()
    const page = await ctx.db.artifactEntities.page(artifactId, { limit: rowsAtOnce, after })
    for (const { value } of page.items) {
      if (!(await holds(ctx, node, fields, value, values))) continue
      characters += JSON.stringify(value).length
      if (results.length >= mostResults || characters > mostCharacters) {
        throw fault('malformed_request', { why: `more than ${mostResults} rows, or more than 1 MiB of them, fit the rule; make it narrower` })
      }
      results.push(value)
    }
    after = page.next === null ? null : [page.items.at(-1)?.created_at ?? 0, page.items.at(-1)?.id ?? '']
    // Others have their turn: a list is long, and its rules are read here.
    if (after) await sleep(ctx.clock, 0, ctx.signal)
  } while (after)
  return { found: results.length > 0, results }
}

async function holds(ctx: Ctx, node: QueryNode, fields: readonly string[], value: Json, values: JsonObject): Promise<boolean> {
  const members = isJsonObject(value) ? value : { value }
  const row = Object.fromEntries(fields.map((name) => [name, memberOf(members, name) ?? null]))
  const root = (name: string) => (name === rowRoot ? row : memberOf(values, name))
  try {
    return isTrue(await evaluateQuery(node, { root }, ctx.services.patterns, 20_000))
  } catch (error) {
    if (error instanceof LanguageError) throw unreadable(error)
    throw error
  }
}

function isTrue(value: Json): boolean {
  return value !== null && value !== false && value !== 0 && value !== ''
}

function readRule(rule: string): { node: QueryNode; fields: string[] } {
  if (rule.length > longestRule) throw fault('malformed_request', { why: `the rule is longer than ${longestRule} characters` })
  const fields = new Set<string>()
  try {
    return { node: onRow(parseQuery(rule), fields), fields: [...fields] }
  } catch (error) {
    if (error instanceof LanguageError) throw unreadable(error)
    throw error
  }
}

/** The rule with every quoted text on the left of a comparison read as a member of the row. */
function onRow(node: QueryNode, fields: Set<string>): QueryNode {
  if (node.type === 'unary') return { ...node, expr: onRow(node.expr, fields) }
  if (node.type === 'function') return { ...node, args: node.args.map((argument) => onRow(argument, fields)) }
  if (node.type !== 'binary') return node
  const { left, right } = node
  if (node.op.toUpperCase() === 'AND' || node.op.toUpperCase() === 'OR') return { ...node, left: onRow(left, fields), right: onRow(right, fields) }
  if (left.type !== 'literal' || typeof left.value !== 'string') return node
  fields.add(left.value)
  return { ...node, left: { type: 'variable', name: left.value, segments: [rowRoot, left.value] } }
}

function unreadable(error: LanguageError) {
  const where = error.position === null ? '' : ` (character ${error.position + 1})`
  return fault('malformed_request', { why: `the rule: ${error.message}${where}` }, { cause: error })
}

export { lookUp }
