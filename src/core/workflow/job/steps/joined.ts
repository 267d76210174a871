import { isEnd } from '../../../kernel/run-state.ts'
import { contextLimit, sizeOf } from '../../../run/outcome.ts'
import { isJsonObject, memberOf } from '../../document/members.ts'
import { nodesOf } from '../nodes.ts'
import { laneOf, parallelOf } from '../parallel.ts'
import { endsJob } from '../ways.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { Performed } from '../../../run/source.ts'
import type { StepRow } from '../../../../ports/store/rows.ts'
import type { Act } from '../perform.ts'

const tooLarge = `The outputs of the rounds of this loop would be larger than ${contextLimit / 1024 / 1024} MiB`

/** What came of rounds that ran at once: whether one of them broke the loop. It fails when one of them failed, or when they leave too much behind. */
async function performJoined({ services, document, step, own }: Act): Promise<Performed> {
  const nodes = nodesOf(document)
  const parts = own.row.key.split('/')
  const chunk = Number(parts.at(-2))
  const before = chunk > 1 ? await own.rows.one([...parts.slice(0, -2), chunk - 1, parts.at(-1)].join('/')) : null
  let size = before && isJsonObject(before.output) ? Number(memberOf(before.output, 'size') ?? 0) : 0
  let broke = false
  let failed: string | null = null
  for (let lane = 0; lane < parallelOf(step); lane++) {
    const row = await own.rows.one([...parts.slice(0, -1), laneOf(nodes.nodeOf(step.id), lane)].join('/'))
    if (!row || !isEnd(row.state) || row.state === 'skipped') continue
    if (row.state !== 'succeeded') failed ??= `Round ${indexOf(row) + 1}: ${row.message ?? row.state}`
    // One after the other: no more than the outputs of one round are in memory.
    const rows = row.child_id ? await services.store.reader.steps.ofRun(row.child_id) : []
    size += sizeOfRows(rows)
    broke ||= rows.some(({ node, key, output }) => node === key && isJsonObject(output) && (breaks(node, output) || endsJob(output)))
    if (size > contextLimit) return { output: { size }, failed: { reason: 'context_too_large', message: tooLarge } }
  }
  if (failed !== null) return { output: { size }, failed: { reason: 'round_failed', message: failed } }
  return { output: { break: broke, size } }

  function breaks(node: string, output: JsonObject): boolean {
    return nodes.stepOf(node)?.step.type === 'break' && output.break === true
  }

  /** With what the rounds of loops inside of them have left, as the last chunk of each says. */
  function sizeOfRows(rows: readonly StepRow[]): number {
    const inner = new Map<string, number>()
    let total = 0
    for (const { key, node, output } of rows) {
      if (nodes.stepOf(node)?.part !== 'joined') total += sizeOf(output)
      else inner.set(key.split('/').slice(0, -2).join('/'), isJsonObject(output) ? Number(memberOf(output, 'size') ?? 0) : 0)
    }
    return [...inner.values()].reduce((sum, each) => sum + each, total)
  }
}

function indexOf({ input }: StepRow): number {
  return isJsonObject(input) ? Number(memberOf(input, 'index') ?? 0) : 0
}

export { performJoined }
