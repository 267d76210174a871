import { randomUUID } from 'node:crypto'
import { systemIds } from '../../../core/kernel/id.ts'
import type { AuditRow, ResourceRow, RunRow, ScheduleRow, StepRow, UserRow } from '../../../ports/store/rows.ts'
import type { AcceptAct, AdvanceAct, Place } from '../../../ports/store/runs.ts'

export function userRow(name: string, patch: Partial<UserRow> = {}): Omit<UserRow, 'serial'> {
  return {
    id: systemIds.record(),
    name,
    email: null,
    first_name: 'Änne',
    last_name: '李',
    company_title: 'Köchin',
    kind: 'user',
    administrator: false,
    active: true,
    pending: false,
    password_hash: null,
    organisation: '',
    networks: ['10.0.0.0/8'],
    created_at: 1_700_000_000_123,
    updated_at: 1_700_000_000_123,
    last_sign_in_at: null,
    ...patch,
  }
}

export function resourceRow(kind: string, name: string, patch: Partial<ResourceRow> = {}): Omit<ResourceRow, 'serial' | 'version' | 'deleted_at'> {
  return {
    id: systemIds.record(),
    kind,
    name,
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: 'ready',
    spec: { text: 'a\u0000b', deep: [1, 2.5, null, { yes: true }] },
    created_at: 5,
    updated_at: 5,
    ...patch,
  }
}

export function runRow(patch: Partial<RunRow> = {}): RunRow {
  return {
    id: randomUUID(),
    kind: 'task',
    name: `task-${randomUUID()}`,
    namespace: 'weather',
    resource_id: null,
    state: 'queued',
    reason: null,
    message: null,
    parent_id: null,
    parent_step: null,
    retry_of: null,
    started_by: 'somebody',
    started_by_name: 'somebody',
    spec: { image: 'x' },
    graph: null,
    input: null,
    output: null,
    active: true,
    listed: true,
    cancel: null,
    owner: 'server-a',
    fence: 1,
    version: 1,
    created_at: 1000,
    started_at: null,
    finished_at: null,
    deleted_at: null,
    ...patch,
  }
}

export function stepRow(runId: string, key: string, patch: Partial<StepRow> = {}): StepRow {
  return {
    run_id: runId,
    key,
    node: key,
    kind: 'work',
    position: 0,
    state: 'queued',
    reason: null,
    message: null,
    attempt: 1,
    max_attempts: 1,
    exit_code: null,
    runtime: 'fake',
    handle: null,
    held: [],
    due_at: null,
    child_id: null,
    input: null,
    output: null,
    attempts: [],
    created_at: 1000,
    started_at: null,
    finished_at: null,
    ...patch,
  }
}

export function auditRow(patch: Partial<AuditRow> = {}): AuditRow {
  return {
    id: systemIds.record(),
    at: 1000,
    actor_id: 'somebody',
    actor: 'somebody',
    operation: 'task.run',
    subject: 'task:x',
    subject_id: null,
    outcome: 'succeeded',
    via: 'native',
    peer: '127.0.0.1',
    credential: 'bearer',
    request_id: 'r1',
    intent_id: null,
    detail: {},
    ...patch,
  }
}

export function scheduleRow(name: string, patch: Partial<ScheduleRow> = {}): Omit<ScheduleRow, 'version'> {
  return {
    id: systemIds.record(),
    kind: 'cron',
    name,
    namespace: 'weather',
    resource_id: null,
    expression: '* * * * *',
    zone: 'UTC',
    suspended: false,
    spec: {},
    created_by: 'somebody',
    next_at: null,
    last_slot: null,
    created_at: 1,
    updated_at: 1,
    deleted_at: null,
    ...patch,
  }
}

/** A run of one step that shall start at once. */
export function acceptAct(patch: Partial<AcceptAct> = {}, places: readonly Place[] = []): AcceptAct {
  const run = patch.run ?? runRow()
  return {
    run,
    steps: [stepRow(run.id, 'main')],
    starts: [{ key: 'main', places }],
    unique: true,
    queueLimit: null,
    idempotency: null,
    slot: null,
    audit: [],
    ...patch,
  }
}

export function advanceAct(run: Pick<RunRow, 'id'>, patch: Partial<AdvanceAct> = {}): AdvanceAct {
  return { run_id: run.id, owner: 'server-a', fence: 1, steps: [], create: [], starts: [], run: null, children: [], audit: [], ...patch }
}
