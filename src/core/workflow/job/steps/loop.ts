import { flowLimits } from '../../../flow/graph.ts'
import { sleep } from '../../../kernel/clock.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { contextLimit, sizeOf } from '../../../run/outcome.ts'
import { LanguageError } from '../../language/scope.ts'
import { fillTemplates, templateRoots } from '../../language/template.ts'
import { nodesOf, partOf } from '../nodes.ts'
import { parallelOf, repeatsList } from '../parallel.ts'
import { graphOfRound } from '../round.ts'
import { StepRows, scopeOf } from '../scope.ts'
import { endsJob, loopsWithFilters } from '../ways.ts'
import { ruleHolds } from './decision.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Performed } from '../../../run/source.ts'
import type { Act } from '../perform.ts'
import type { Standing } from '../scope.ts'

/** Characters of the graphs of all rounds of a loop that are runs of their own. */
const graphsLimit = 1024 * 1024 * 1024

/** What a loop goes over: `{ items }`, `{ chunks }` of those that run at once, or `{ times, delay_ms }`. */
async function performItems(act: Act): Promise<Performed> {
  const { parameters } = act.step
  if (repeatsList(act.step)) {
    const items = await filled(act, textMember(parameters, 'repeatVariable'))
    if (!Array.isArray(items)) return failed('The variable to repeat is not an array')
    if (items.length > flowLimits.rounds) return failed(`A loop has at most ${flowLimits.rounds} rounds; this one would have ${items.length}`)
    const size = parallelOf(act.step)
    // The run of each round keeps its graph.
    if (size > 1 && items.length * JSON.stringify(graphOfRound(act.document, act.step)).length > graphsLimit) {
      return failed(
        `The steps of this loop, kept for each of ${items.length} rounds, would be larger than ${graphsLimit / 1024 / 1024} MiB; run the rounds one by one`,
      )
    }
    return { output: size > 1 ? { chunks: chunksOf(items, size) } : { items } }
  }
  const times = numberOf(await filled(act, memberOf(parameters, 'repeatCount') ?? 0))
  const delay = numberOf(await filled(act, memberOf(parameters, 'repeatDelay') ?? 0)) ?? 0
  if (times === null || !Number.isInteger(times) || times < 0 || times > flowLimits.rounds) {
    return failed(`The number of rounds is a whole number from 0 to ${flowLimits.rounds}`)
  }
  return { output: { times, delay_ms: Math.min(Math.max(Math.round(delay * 1000), 0), flowLimits.waitMs) } }
}

function chunksOf(items: readonly Json[], size: number): Json[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))
}

/** How long a delay waits, in milliseconds. */
async function performDelay(act: Act): Promise<Performed> {
  const seconds = numberOf(await filled(act, memberOf(objectMember(act.step.parameters, 'input'), 'delay') ?? 0))
  if (seconds === null || seconds < 0) return failed('The delay is a number of seconds')
  return { output: { ms: Math.min(Math.round(seconds * 1000), flowLimits.waitMs) } }
}

/** The outputs that a loop makes of its rounds (contract §10.1): lists, counts, and whether any or all rounds met a rule. */
async function performOutputs(act: Act): Promise<Performed> {
  const { step, row } = act
  const key = row.key.slice(0, -partOf('', 'outputs').length)
  const wanted = memberOf(step.parameters, 'customOutput') ?? memberOf(step.parameters, 'customOutputs')
  const outputs = (Array.isArray(wanted) ? wanted : []).filter(isJsonObject)
  const reading = new StepRows(act.rows)
  if (outputs.length > 0 || parallelOf(step) > 1) await reading.load()
  const loop = await reading.one(key)
  const rounds = loop && isJsonObject(loop.output) ? Number(memberOf(loop.output, 'rounds') ?? 0) : 0
  const prepared = await reading.one(partOf(key, 'items'))
  const given = prepared && isJsonObject(prepared.output) ? prepared.output : {}
  const chunks = memberOf(given, 'chunks')
  const items = Array.isArray(chunks) ? chunks.slice(0, rounds).flat() : memberOf(given, 'items')
  const count = Array.isArray(chunks) && Array.isArray(items) ? items.length : rounds
  // It stands in the round as any step of the body does.
  const nodes = nodesOf(act.document)
  const inner = act.document.steps.find(({ parent }) => parent === step.id)
  const node = inner ? nodes.nodeOf(inner.id) : ''
  const entry = new Map<string, Json>()
  for (const output of outputs) entry.set(textMember(output, 'name'), startOf(output))
  const size = { total: 0 }
  const turn = turns(act)
  for (let round = 1; round <= count; round++) {
    const view: JsonObject = { index: round - 1, item: Array.isArray(items) ? (items[round - 1] ?? null) : null, parent: act.loop }
    const standing: Standing = { ...act, key: `${key}/${round}/${node}`, loop: view }
    for (const output of outputs) {
      await addRound(standing, reading, output, entry, { first: round === 1, size })
      await turn()
    }
  }
  const stopped = await isStopped(act, reading, `${key}/`, { from: (Math.max(rounds, 1) - 1) * parallelOf(step), to: count })
  return { output: { entry: Object.fromEntries(entry), ...(stopped ? { stopped } : {}) } }
}

/** Lets others have their turn after every few milliseconds of work; throws when the job is cancelled. */
function turns({ services, signal }: Act): () => Promise<void> {
  let since = services.clock.now()
  return async () => {
    if (services.clock.now() - since < 20) return
    await sleep(services.clock, 0, signal)
    since = services.clock.now()
  }
}

/** Whether a filter has ended the job, in the last round or in one of the last that ran at once. */
async function isStopped(act: Act, reading: StepRows, prefix: string, { from, to }: { from: number; to: number }): Promise<boolean> {
  const { document, step } = act
  if (!loopsWithFilters(document).has(step.id)) return false
  const nodes = nodesOf(document)
  const inside = document.steps.filter(
    ({ parent, type, is_disabled }) => parent === step.id && !is_disabled && (type === 'filter' || type === 'loop'),
  )
  for (let round = from + 1; round <= to; round++) {
    for (const { id, type } of inside) {
      const row = await reading.one(`${prefix}${round}/${partOf(nodes.nodeOf(id), type === 'loop' ? 'outputs' : 'main')}`)
      if (row && endsJob(row.output)) return true
    }
  }
  return false
}

function startOf(output: JsonObject): Json {
  const type = textMember(output, 'outputType')
  return type === 'array' ? [] : type === 'count' ? 0 : textMember(objectMember(output, 'input'), 'condition') === 'all'
}

async function addRound(
  standing: Standing,
  reading: StepRows,
  output: JsonObject,
  entry: Map<string, Json>,
  round: { first: boolean; size: { total: number } },
): Promise<void> {
  const name = textMember(output, 'name')
  const input = objectMember(output, 'input')
  const text = textMember(input, 'expressionText')
  const extra = new Map<string, Json>()
  const holds = text.trim() === '' || (await ruleHolds(standing, text, { extra, reading }))
  const value = entry.get(name)
  if (Array.isArray(value)) {
    if (!holds) return
    const template = memberOf(input, 'value') ?? null
    const filled = fillTemplates(template, await scopeOf(standing, templateRoots(template), { reading })) ?? null
    value.push(filled)
    round.size.total += sizeOf(filled)
    if (round.size.total > contextLimit) throw new LanguageError(`the outputs of the loop would be larger than ${contextLimit / 1024 / 1024} MiB`)
    if (value.length > flowLimits.rounds) throw new LanguageError('the list becomes too long')
  } else if (typeof value === 'number') entry.set(name, value + (holds ? 1 : 0))
  else if (textMember(input, 'condition') === 'all') entry.set(name, (round.first || value === true) && holds)
  else entry.set(name, value === true || holds)
}

async function filled(act: Act, template: Json): Promise<Json | undefined> {
  return fillTemplates(template, await scopeOf(act, templateRoots(template)))
}

function numberOf(value: Json | undefined): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

function failed(message: string): Performed {
  return { output: null, failed: { reason: 'bad_loop', message } }
}

export { performItems, performDelay, performOutputs }
