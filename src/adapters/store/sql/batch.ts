import type { AcceptAct, AcceptResult, AdvanceAct, AdvanceResult } from '../../../ports/store/runs.ts'
import { auditEvents } from './audit.ts'
import { codec, encode } from './codec.ts'
import type { Codec } from './codec.ts'
import { heldPlaces } from './gauge.ts'
import { idempotency } from './idempotency.ts'
import { columnType, insertMany } from './many.ts'
import { runs } from './run.ts'
import { recordList, textList } from './sql.ts'
import type { Sql } from './sql.ts'
import { steps } from './step.ts'
import { memberOf } from './unique.ts'
import { acceptIn, advanceIn, emptyWorld, joined, nameOf, Crossed, queueOf, recordOf } from './world.ts'
import type { KnownRun, KnownStep, World } from './world.ts'

type Act = { readonly what: 'accept'; readonly act: AcceptAct } | { readonly what: 'advance'; readonly act: AdvanceAct }
type ActResult = AcceptResult | AdvanceResult

const slots = codec<{ schedule_id: string; at: number; run_id: string }>('schedule_slot', { schedule_id: 'text', at: 'time', run_id: 'text' })
const gauges = codec<{ name: string; active: number }>('gauge', { name: 'text', active: 'number' })

/**
 * Carries out acts in their order by a handful of statements on sets, inside the transaction of `sql`. Throws when one of them cannot go through with the
 * others (another server was faster, a row is there already): then the transaction must be undone, and the acts carried out one by one.
 */
async function runBatch(sql: Sql, acts: readonly Act[]): Promise<ActResult[]> {
  const world = await load(sql, acts)
  const results = acts.map((act) => (act.what === 'accept' ? acceptIn(world, act.act) : advanceIn(world, act.act)))
  await save(sql, world)
  return results
}

async function load(sql: Sql, acts: readonly Act[]): Promise<World> {
  const world = emptyWorld()
  const advances = acts.flatMap((act) => (act.what === 'advance' ? [act.act] : []))
  const accepts = acts.flatMap((act) => (act.what === 'accept' ? [act.act] : act.act.children))
  await loadRuns(sql, world, advances)
  await loadSteps(sql, world, advances)
  await loadGauges(sql, world, [...advances, ...accepts])
  await loadNames(sql, world, accepts)
  await loadQueues(sql, world, accepts)
  await loadRecords(sql, world, accepts)
  await loadSlots(sql, world, accepts)
  return world
}

// Always in the order of ids, so that two servers never wait for each other in a circle.
async function loadRuns(sql: Sql, world: World, advances: readonly AdvanceAct[]): Promise<void> {
  const ids = [...new Set(advances.map((act) => act.run_id))]
  if (ids.length === 0) return
  const text = `select id, owner, fence, state, kind, namespace, name, active, listed, version, created_at from run
    where id in (${sql.dialect.texts}) order by id${sql.dialect.forUpdate}`
  for (const raw of await sql.all(text, [textList(ids)])) {
    // The columns are those of KnownRun, flags as numbers.
    const run = { ...raw, active: raw.active === 1, listed: raw.listed === 1, patch: {} } as unknown as KnownRun
    world.runs.set(run.id, run)
  }
}

async function loadSteps(sql: Sql, world: World, advances: readonly AdvanceAct[]): Promise<void> {
  const keys = new Map<string, { run_id: string; key: string }>()
  for (const act of advances)
    for (const { key } of [...act.steps, ...act.starts])
      if (world.runs.has(act.run_id)) keys.set(joined(act.run_id, key), { run_id: act.run_id, key })
  if (keys.size === 0) return
  const text = `select s.run_id, s.key, s.state, s.reason, s.attempt, s.held
    from ${sql.dialect.records({ run_id: 'text', key: 'text' })} join step s on s.run_id = k.run_id and s.key = k.key`
  for (const raw of await sql.all(text, [recordList([...keys.values()])])) {
    const step = { ...raw, held: JSON.parse(String(raw.held)), patch: {} } as unknown as KnownStep // the columns are those of KnownStep
    world.steps.set(joined(step.run_id, step.key), step)
  }
}

async function loadGauges(sql: Sql, world: World, acts: readonly (AdvanceAct | AcceptAct)[]): Promise<void> {
  const wanted = new Set(acts.flatMap((act) => act.starts.flatMap((start) => start.places.map(({ gauge }) => gauge))))
  for (const step of world.steps.values()) for (const { gauge } of heldPlaces(step.held)) wanted.add(gauge)
  if (wanted.size === 0) return
  const names = textList([...wanted].sort())
  const read = () => sql.all(`select name, active from gauge where name in (${sql.dialect.texts}) order by name${sql.dialect.forUpdate}`, [names])
  let rows = await read()
  if (rows.length < wanted.size && sql.dialect.forUpdate !== '') {
    // A row that is not there cannot be locked.
    await sql.run(`insert into gauge (name, active) select name, 0 from (${sql.dialect.texts}) as n(name) order by name on conflict do nothing`, [
      names,
    ])
    rows = await read()
  }
  for (const name of wanted) world.gauges.set(name, { active: 0, before: 0 })
  for (const row of rows) world.gauges.set(String(row.name), { active: Number(row.active), before: Number(row.active) })
}

async function loadNames(sql: Sql, world: World, accepts: readonly AcceptAct[]): Promise<void> {
  const wanted = new Map(
    accepts.filter(({ unique }) => unique).map(({ run }) => [nameOf(run), { kind: run.kind, namespace: run.namespace, name: run.name }]),
  )
  if (wanted.size === 0) return
  for (const name of wanted.keys()) world.names.set(name, { active: [], ended: [] })
  const text = `select r.id, r.kind, r.namespace, r.name, r.active, r.created_at
    from ${sql.dialect.records({ kind: 'text', namespace: 'text', name: 'text' })}
    join run r on r.kind = k.kind and r.namespace = k.namespace and r.name = k.name where (r.active = 1 or r.listed = 1) and r.deleted_at is null`
  for (const raw of await sql.all(text, [recordList([...wanted.values()])])) {
    const names = world.names.get(joined(String(raw.kind), String(raw.namespace), String(raw.name)))
    const list = raw.active === 1 ? names?.active : names?.ended
    list?.push({ id: String(raw.id), created_at: Number(raw.created_at) })
  }
}

async function loadQueues(sql: Sql, world: World, accepts: readonly AcceptAct[]): Promise<void> {
  const limited = accepts.filter(({ queueLimit }) => queueLimit !== null)
  const wanted = new Map(limited.map(({ run }) => [queueOf(run), { kind: run.kind, namespace: run.namespace }]))
  if (wanted.size === 0) return
  const text = `select k.kind, k.namespace,
      (select count(*) from run r where r.active = 1 and r.kind = k.kind and r.namespace = k.namespace and r.state in ('queued', 'waiting')) as count
    from ${sql.dialect.records({ kind: 'text', namespace: 'text' })}`
  for (const raw of await sql.all(text, [recordList([...wanted.values()])]))
    world.queues.set(joined(String(raw.kind), String(raw.namespace)), Number(raw.count))
}

async function loadRecords(sql: Sql, world: World, accepts: readonly AcceptAct[]): Promise<void> {
  const wanted = accepts.flatMap(({ idempotency: given }) => (given ? [{ identity: given.identity, route: given.route, key: given.key }] : []))
  if (wanted.length === 0) return
  const text = `select distinct ${idempotency.listOf('i')}
    from ${sql.dialect.records({ identity: 'text', route: 'text', key: 'text' })}
    join idempotency i on i.identity = k.identity and i.route = k.route and i.key = k.key`
  for (const raw of await sql.all(text, [recordList(wanted)])) {
    const kept = idempotency.decode(raw)
    world.records.set(recordOf(kept), kept)
  }
}

async function loadSlots(sql: Sql, world: World, accepts: readonly AcceptAct[]): Promise<void> {
  const wanted = accepts.flatMap(({ slot }) => (slot ? [slot] : []))
  if (wanted.length === 0) return
  const text = `select s.schedule_id, s.at from ${sql.dialect.records({ schedule_id: 'text', at: 'bigint' })}
    join schedule_slot s on s.schedule_id = k.schedule_id and s.at = k.at`
  for (const raw of await sql.all(text, [recordList(wanted)])) world.slots.add(joined(String(raw.schedule_id), Number(raw.at)))
  // Locked, so that an order to delete or suspend is wholly before this act or wholly after it: no occurrence after its answer.
  const stopped = `select id from schedule where id in (${sql.dialect.texts}) and (deleted_at is not null or suspended = 1) order by id`
  const ids = [...new Set(wanted.map(({ schedule_id }) => schedule_id))]
  if (sql.dialect.forUpdate !== '') {
    await sql.all(`select id from schedule where id in (${sql.dialect.texts}) order by id${sql.dialect.forUpdate}`, [textList(ids)])
  }
  const closed = new Set((await sql.all(stopped, [textList(ids)])).map((raw) => String(raw.id)))
  for (const slot of wanted) if (closed.has(slot.schedule_id)) world.slots.add(joined(slot.schedule_id, slot.at))
}

async function save(sql: Sql, world: World): Promise<void> {
  const { made } = world
  // Records, slots and runs may have been made by another server after our look: then the whole batch goes another way.
  await insertAll(sql, idempotency, made.records)
  await insertAll(sql, slots, made.slots)
  if (made.unlisted.length > 0) await sql.run(`update run set listed = 0 where id in (${sql.dialect.texts})`, [textList(made.unlisted)])
  // A name that becomes free in this batch must be free before it is taken again.
  await updateAll(sql, runs, ['id'], [...world.runs.values()])
  for (const exclusive of [0, 1]) {
    const rows = [...made.runs.values()].filter((run) => run.exclusive === exclusive).map(({ row }) => row)
    await insertAll(sql, runs, rows, { exclusive })
  }
  await insertMany(sql, steps, [...made.steps.values()])
  await updateAll(sql, steps, ['run_id', 'key'], [...world.steps.values()])
  // Mostly one step gives its place to the next, and nothing is to be written.
  const changed = [...world.gauges].filter(([, { active, before }]) => active !== before).map(([name, { active }]) => ({ name, active }))
  await insertMany(sql, gauges, changed, { conflict: ' on conflict (name) do update set active = excluded.active' })
  await insertMany(sql, auditEvents, made.audit)
}

async function insertAll<Row extends object>(sql: Sql, table: Codec<Row>, rows: readonly Row[], further: Record<string, number> = {}): Promise<void> {
  const inserted = await insertMany(sql, table, rows, { conflict: ' on conflict do nothing', further })
  if (inserted < rows.length) throw new Crossed(`${memberOf(table.table)}.id`)
}

/** Updates rows found by `keys`: by one statement for all that change the same members, or by one each. */
async function updateAll<Row extends object>(
  sql: Sql,
  table: Codec<Row>,
  keys: readonly (keyof Row & string)[],
  rows: readonly (Partial<Row> & { patch: Partial<Row> })[],
): Promise<void> {
  for (const [members, group] of byMembers<Row, Partial<Row> & { patch: Partial<Row> }>(rows)) {
    if (members.length === 0) continue
    const encoded = (from: Partial<Row>, names: readonly (keyof Row & string)[]) => names.map((name) => encode(table.kinds[name], from[name]))
    if (!sql.dialect.sets) {
      const text = `update ${table.table} set ${members.map((name) => `"${name}" = ?`).join(', ')} where ${keys.map((name) => `"${name}" = ?`).join(' and ')}`
      for (const row of group) await sql.run(text, [...encoded(row.patch, members), ...encoded(row, keys)])
      continue
    }
    const columns = [
      ...keys.map((name) => [`at_${name}`, columnType(table.kinds[name])] as const),
      ...members.map((name) => [name, columnType(table.kinds[name])] as const),
    ]
    const text = `update ${table.table} t set ${members.map((name) => `"${name}" = k."${name}"`).join(', ')}
      from ${sql.dialect.records(Object.fromEntries(columns))} where ${keys.map((name) => `t."${name}" = k."at_${name}"`).join(' and ')}`
    const records = group.map((row) => {
      const values = [...encoded(row, keys), ...encoded(row.patch, members)]
      return Object.fromEntries(columns.map(([name], index) => [name, values[index] ?? null]))
    })
    await sql.run(text, [recordList(records)])
  }
}

// Rows that change the same members go by one statement; there are few such sets, so that the statements' texts are few as well.
function byMembers<Row extends object, Item extends { patch: Partial<Row> }>(items: readonly Item[]): [(keyof Row & string)[], Item[]][] {
  const groups = new Map<string, [(keyof Row & string)[], Item[]]>()
  for (const item of items) {
    const members = (Object.keys(item.patch) as (keyof Row & string)[]).filter((member) => item.patch[member] !== undefined).sort() // keys of a patch of Row
    const key = members.join(' ')
    const group = groups.get(key)
    if (group) group[1].push(item)
    else groups.set(key, [members, [item]])
  }
  return [...groups.values()]
}

export type { Act, ActResult }
export { runBatch }
