import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, PageOf, Time, Type, listMembers } from '../kernel/schema.ts'
import { pageRequest, viewPage } from '../kernel/page.ts'
import { viewerOf } from '../identity/principal.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { parseCron } from './cron.ts'
import { scheduleChanged, scheduleEvent } from './schedule.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { ScheduleRow } from '../../ports/store/rows.ts'

const Schedule = Closed({
  id: Type.String(),
  kind: Type.String({ description: 'What an occurrence starts: `task`, …' }),
  name: Type.String(),
  namespace: Type.String(),
  expression: Type.String({ description: 'Minute, hour, day of month, month, day of week.' }),
  zone: Type.String(),
  suspended: Type.Boolean(),
  started_as: Type.String({ description: 'The user whose rights an occurrence has; empty when that user is gone.' }),
  active: Type.Array(Type.String(), { description: 'Ids of its runs that have not ended.' }),
  next_at: Nullable(Time),
  last_at: Nullable(Time),
  created_at: Time,
  updated_at: Time,
})

const ScheduleMember = Type.String({ description: 'Id of the schedule, or `<namespace>/<name>` of a cron job.' })
const example = { schedule: 'weather/nightly-clean' }

const list = defineOperation({
  name: 'schedule.list',
  summary: 'Schedules that the caller may read, by namespace and name, with their next and last times.',
  input: Closed({
    kind: Type.Optional(Type.String({ description: 'Only of this kind: task, …' })),
    namespace: Type.Optional(Type.String()),
    ...listMembers,
  }),
  output: PageOf(Schedule),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { namespace: 'weather' },
  run(ctx, input) {
    const { kind, namespace } = input
    const filter = { ...(kind !== undefined && { kind }), ...(namespace !== undefined && { namespace: namespace.replace(/^namespace:/, '') }) }
    return viewPage(ctx.db.schedules.page(filter, viewerOf(ctx.principal), pageRequest(input)), (rows) => views(ctx, rows))
  },
})

const get = defineOperation({
  name: 'schedule.get',
  summary: 'One schedule with its next and last times.',
  input: Closed({ schedule: ScheduleMember }),
  output: Schedule,
  access: 'signed-in',
  subjects: { schedule: subject('schedule', 'read', 'schedule') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { schedule }) => view(ctx, schedule.row),
})

const suspend = defineOperation({
  name: 'schedule.suspend',
  summary: 'Stops a schedule until it is resumed: no occurrence starts after the answer; what runs goes on.',
  input: Closed({ schedule: ScheduleMember }),
  output: Schedule,
  access: 'signed-in',
  subjects: { schedule: subject('schedule', 'write', 'schedule') },
  effect: 'act',
  audit: { subject: (input) => `schedule:${input.schedule}` },
  example,
  run: (ctx, _, { schedule }) => change(ctx, schedule.row, () => ({ suspended: true })),
})

const resume = defineOperation({
  name: 'schedule.resume',
  summary: 'Lets a suspended schedule go on with its next time; what it missed is not made up.',
  input: Closed({ schedule: ScheduleMember }),
  output: Schedule,
  access: 'signed-in',
  subjects: { schedule: subject('schedule', 'write', 'schedule') },
  effect: 'act',
  audit: { subject: (input) => `schedule:${input.schedule}` },
  example,
  run: (ctx, _, { schedule }) =>
    change(ctx, schedule.row, ({ suspended, expression, zone, next_at }, now) => ({
      suspended: false,
      next_at: suspended ? parseCron(expression, zone).next(now) : next_at,
    })),
})

type Change = Partial<Pick<ScheduleRow, 'suspended' | 'next_at'>>

async function change(ctx: Ctx, { id }: ScheduleRow, patchOf: (row: ScheduleRow, now: number) => Change): Promise<Static<typeof Schedule>> {
  const changed = await ctx.write(async ({ db, clock }) => {
    const now = clock.now()
    const row = (await db.schedules.lock(id)) as ScheduleRow // it was found, and rows stay for weeks after a delete
    await db.schedules.update(id, { ...patchOf(row, now), updated_at: now })
    return { ...row, ...patchOf(row, now), updated_at: now }
  })
  scheduleChanged(ctx.services.store)
  ctx.emit(scheduleEvent(changed, changed.suspended ? 'suspended' : 'resumed'))
  return view(ctx, changed)
}

async function view(ctx: Ctx, row: ScheduleRow): Promise<Static<typeof Schedule>> {
  const [only] = await views(ctx, [row])
  return only as Static<typeof Schedule> // one for one
}

async function views(ctx: Ctx, rows: readonly ScheduleRow[]): Promise<Static<typeof Schedule>[]> {
  const users = await ctx.services.store.reader.users.byIds([...new Set(rows.map((row) => row.created_by))])
  const names = new Map(users.map(({ id, name }) => [id, name]))
  const active = Map.groupBy(await ctx.services.store.reader.schedules.activeRuns(rows.map(({ id }) => id)), (run) => run.schedule_id)
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    name: row.name,
    namespace: row.namespace,
    expression: row.expression,
    zone: row.zone,
    suspended: row.suspended,
    started_as: names.get(row.created_by) ?? '',
    active: (active.get(row.id) ?? []).map(({ id }) => id),
    next_at: row.suspended ? null : timestamp(row.next_at),
    last_at: timestamp(row.last_slot),
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }))
}

const scheduleOperations: readonly AnyOperation[] = [list, get, suspend, resume]

export { scheduleOperations }
