import { isEnd, runStates } from '../../../core/kernel/run-state.ts'
import type { RunState } from '../../../core/kernel/run-state.ts'
import type { RunRow } from '../../../ports/store/rows.ts'
import type { PruneOptions, PruneScope, RunFilter, RunKey, RunSort, RunSummary, RunTable } from '../../../ports/store/runs.ts'
import { pageOf } from '../../../core/kernel/page.ts'
import { codec } from './codec.ts'
import { keyset, readPage } from './page.ts'
import type { Order } from './page.ts'
import { seesThrough } from './permission.ts'
import { among, equal, textList, where } from './sql.ts'
import type { Part, Sql, Value } from './sql.ts'

export const runs = codec<RunRow>('run', {
  id: 'text',
  kind: 'text',
  name: 'text',
  namespace: 'text',
  resource_id: 'text',
  state: 'text',
  reason: 'text',
  message: 'text',
  parent_id: 'text',
  parent_step: 'text',
  retry_of: 'text',
  started_by: 'text',
  started_by_name: 'text',
  spec: 'json',
  graph: 'json',
  input: 'json',
  output: 'json',
  active: 'bool',
  listed: 'bool',
  cancel: 'json',
  owner: 'text',
  fence: 'int',
  version: 'int',
  created_at: 'time',
  started_at: 'time',
  finished_at: 'time',
  deleted_at: 'time',
})

const { graph: _graph, input: _input, output: _output, cancel: _cancel, ...summarised } = runs.kinds
const summaries = codec<RunSummary>('run', summarised)

// That of the index on names, so that nothing has to be sorted.
const keyOrder: Order = {
  by: [
    { column: 'n.namespace', kind: 'text' },
    { column: 'n.name', kind: 'text' },
    { column: 'n.created_at', kind: 'number' },
    { column: 'n.id', kind: 'text' },
  ],
  direction: 'asc',
}

const orders: Record<'newest' | 'name', { order: Order; position: (row: RunRow) => (string | number)[] }> = {
  newest: {
    order: {
      by: [
        { column: 'n.created_at', kind: 'number' },
        { column: 'n.id', kind: 'text' },
      ],
      direction: 'desc',
    },
    position: (row) => [row.created_at, row.id],
  },
  name: {
    order: {
      by: [
        { column: 'n.namespace', kind: 'text' },
        { column: 'n.name', kind: 'text' },
        { column: 'n.id', kind: 'text' },
      ],
      direction: 'asc',
    },
    position: (row) => [row.namespace, row.name, row.id],
  },
}

export function runTable(sql: Sql): RunTable {
  const one = async (condition: string, values: (string | number)[]) => {
    const raw = await sql.one(`select ${runs.list} from run where ${condition}`, values)
    return raw === null ? null : runs.decode(raw)
  }
  return {
    byId: (id) => one('id = ?', [id]),
    async byIds(ids) {
      const raws = await sql.all(`select ${runs.list} from run where id in (${sql.dialect.texts}) order by created_at, id`, [textList(ids)])
      return raws.map(runs.decode)
    },
    activeNamed: (kind, namespace, name) =>
      one('kind = ? and namespace = ? and name = ? and active = 1 order by created_at desc, id desc limit 1', [kind, namespace, name]),
    listedNamed: (kind, namespace, name) =>
      one('kind = ? and namespace = ? and name = ? and listed = 1 order by created_at desc, id desc limit 1', [kind, namespace, name]),
    async childrenOf(id) {
      return (await sql.all(`select ${runs.list} from run where parent_id = ? order by created_at, id`, [id])).map(runs.decode)
    },
    page(filter, viewer, order, page) {
      const rare = order === 'newest' ? rareAmong(filter) : null
      return readPage(sql, {
        codec: runs,
        alias: 'n',
        index: rare?.index ?? null,
        conditions: [rare?.condition ?? null, ...filtered(sql, filter), seesThrough(viewer, 'n.resource_id', 'n.started_by')],
        order: orders[order].order,
        page,
        position: orders[order].position,
      })
    },
    async keys(filter, viewer, page) {
      const found = where([...filtered(sql, filter), seesThrough(viewer, 'n.resource_id', 'n.started_by'), keyset(keyOrder, page)])
      const text = `select n.id, n.active, n.version from run n${found.text} order by n.namespace, n.name, n.created_at, n.id limit ?`
      const raws = await sql.all(text, [...found.values, page.limit + 1])
      const rows = raws.map((raw): RunKey => ({ id: String(raw.id), active: raw.active === 1, version: Number(raw.version) }))
      // The place of one row is read by itself: a thousand rows are read faster without.
      const last = rows.length > page.limit ? rows[page.limit - 1] : undefined
      const place = last && (await sql.one('select namespace, name, created_at, id from run where id = ?', [last.id]))
      return pageOf(rows, page.limit, () => Object.values(place ?? {}) as (string | number)[]) // the four columns of the order
    },
    async sortedIds(filter, viewer, sort, { limit, offset }) {
      const rare = rareAmong(filter)
      const found = where([rare?.condition ?? null, ...filtered(sql, filter), seesThrough(viewer, 'n.resource_id', 'n.started_by')])
      const by = rare ? sql.dialect.by(rare.index) : ''
      const text = `select n.id from run n${by}${found.text} order by ${sortingOf(sort)} limit ? offset ?`
      return (await sql.all(text, [...found.values, limit, offset])).map((raw) => String(raw.id))
    },
    async summaries(ids) {
      return (await sql.all(`select ${summaries.list} from run where id in (${sql.dialect.texts})`, [textList(ids)])).map(summaries.decode)
    },
    async activeOf(owner) {
      return (await sql.all(`select ${runs.list} from run where owner = ? and active = 1 order by created_at, id`, [owner])).map(runs.decode)
    },
    async counts() {
      const raws = await sql.all('select kind, state, count(*) as count from run group by kind, state order by kind, state')
      // The column holds states only: the engine's acts are its only writers.
      return raws.map((raw) => ({ kind: String(raw.kind), state: String(raw.state) as RunState, count: Number(raw.count) }))
    },
    async patch(id, patch) {
      const { text, values } = runs.assign(patch)
      const freed = patch.deleted_at == null ? '' : ', exclusive = 0'
      if (text !== '') await sql.run(`update run set ${text}${freed}, version = version + 1 where id = ?`, [...values, id])
    },
    async placeOf(kind, { back, after, ...scope }) {
      const ended = endedOf(sql, kind, scope)
      const further = after === null ? '' : ' and (created_at, id) < (?, ?)'
      const raw = await sql.one(`select created_at, id from run where ${ended.text}${further} order by created_at desc, id desc limit 1 offset ?`, [
        ...ended.values,
        ...(after === null ? [] : [after.created_at, after.id]),
        back - 1,
      ])
      return raw && { created_at: Number(raw.created_at), id: String(raw.id) }
    },
    prunable: (kind, options) => prunable(sql, kind, options),
    async prune(kind, options) {
      const ids = await prunable(sql, kind, options)
      if (ids.length === 0) return []
      await sql.run(`delete from step where run_id in (${sql.dialect.texts})`, [textList(ids)])
      await sql.run(`delete from run where id in (${sql.dialect.texts})`, [textList(ids)])
      return ids
    },
  }
}

async function prunable(sql: Sql, kind: string, { before, beyond, limit, alone = false, ...scope }: PruneOptions): Promise<string[]> {
  const ended = endedOf(sql, kind, scope)
  const orphaned = alone ? ' and (parent_id is null or not exists (select 1 from run p where p.id = run.parent_id))' : ''
  // By time of making, which is before the time of ending and has an index: what is not old by it cannot be old.
  const oldest = (condition: string, values: Value[]) =>
    sql.all(`select id from run where ${ended.text}${orphaned} and ${condition} order by created_at, id limit ?`, [...ended.values, ...values, limit])
  const old = await oldest('created_at < ? and finished_at < ?', [before, before])
  const many = beyond === null ? [] : await oldest('(created_at, id) < (?, ?)', [beyond.created_at, beyond.id])
  return [...new Set([...old, ...many].map((raw) => String(raw.id)))].slice(0, limit)
}

function endedOf(sql: Sql, kind: string, { of, except = [] }: PruneScope): Part {
  const which = of === undefined ? '' : ' and resource_id = ?'
  const others = except.length === 0 ? '' : ` and (resource_id is null or resource_id not in (${sql.dialect.texts}))`
  return {
    text: `kind = ? and active = 0 and finished_at is not null${which}${others}`,
    values: [kind, ...(of === undefined ? [] : [of]), ...(except.length === 0 ? [] : [textList(except)])],
  }
}

function filtered(sql: Sql, filter: RunFilter): (Part | null)[] {
  return [
    // One kind is said as one, so that its index gives the order as well.
    filter.kinds?.length === 1 ? equal('n.kind', filter.kinds[0]) : among(sql, 'n.kind', filter.kinds),
    filter.exceptKind === undefined ? null : { text: 'n.kind <> ?', values: [filter.exceptKind] },
    equal('n.namespace', filter.namespace),
    equal('n.name', filter.name),
    among(sql, 'n.state', filter.states),
    equal('n.parent_id', filter.parentId),
    equal('n.resource_id', filter.resourceId),
    equal('n.started_by', filter.startedBy),
    equal('n.listed', flag(filter.listed)),
    equal('n.active', flag(filter.active)),
    filter.createdFrom === undefined ? null : { text: 'n.created_at >= ?', values: [filter.createdFrom] },
    filter.createdTo === undefined ? null : { text: 'n.created_at <= ?', values: [filter.createdTo] },
    filter.group === undefined ? null : { text: `(n.id = ? or (n.kind = 'workflow' and ${says('group_id')}))`, values: [filter.group, filter.group] },
    marked(filter.mark),
  ]
}

const going: readonly RunState[] = runStates.filter((state) => !isEnd(state))
const unwell: readonly RunState[] = runStates.filter((state) => isEnd(state) && state !== 'succeeded')

/** The index that has only the few runs of the states that are asked for: a list in order of time would walk through all the others. */
function rareAmong({ states, resourceId }: RunFilter): { readonly index: string; readonly condition: Part } | null {
  if (!states || states.length === 0) return null
  if (states.every((state) => going.includes(state))) return { index: 'run_active', condition: { text: 'n.active = 1', values: [] } }
  if (!states.every((state) => unwell.includes(state))) return null
  const condition = { text: `n.state in (${unwell.map((state) => `'${state}'`).join(', ')})`, values: [] }
  return { index: resourceId === undefined ? 'run_unwell' : 'run_unwell_of', condition }
}

// Documents are compact JSON texts that we wrote ourselves, so that a member and its value stand side by side. A quote inside of a value is escaped,
// so that nothing that somebody typed can look like a member.
function says(member: string): string {
  return `n.spec like '%"${member}":"' || ? || '"%'`
}

function marked(mark: RunFilter['mark']): Part | null {
  if (mark === undefined) return null
  const has = (name: string) => `n.spec like '%"${name}":true%'`
  const own = `n.kind = 'workflow'`
  if (mark === 'dismissed') return { text: `(${own} and ${has('dismissed')})`, values: [] }
  if (mark === 'retried') return { text: `(${own} and ${has('retried')} and not ${has('dismissed')})`, values: [] }
  return { text: `not (${own} and (${has('retried')} or ${has('dismissed')}))`, values: [] }
}

const sortColumns: Readonly<Record<RunSort['by'], string>> = {
  created: 'n.created_at',
  updated: 'coalesce(n.finished_at, n.started_at, n.created_at)',
  ended: 'coalesce(n.finished_at, 0)',
  id: 'n.id',
  name: 'n.name',
  state: 'n.state',
}

// The id makes the order total, so that parts of a list that are read one by one do not overlap.
function sortingOf(sort: readonly RunSort[]): string {
  const wanted: readonly RunSort[] = sort.length > 0 ? sort : [{ by: 'created', direction: 'desc' }]
  const total = wanted.some(({ by }) => by === 'id') ? wanted : [...wanted, { by: 'id', direction: wanted[0]?.direction ?? 'desc' } as const]
  return total.map(({ by, direction }) => `${sortColumns[by]} ${direction}`).join(', ')
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}
