import { find, missingKind } from '../access/find.ts'
import { auditRow } from '../audit/audit.ts'
import { queueOperation } from '../webhook/from-operation.ts'
import { deeperThan } from '../kernel/json.ts'
import { fault, isFault, problemsFault } from '../kernel/fault.ts'
import { projector, validator } from '../kernel/schema.ts'
import { isSignedIn } from '../identity/principal.ts'
import { reaches } from '../identity/scope.ts'
import { holdsSystem } from '../access/system.ts'
import { everyoneName } from '../kernel/builtin.ts'
import { DuplicateKey, StoreUnavailable } from '../../ports/store/store.ts'
import type { AuditRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Principal } from '../identity/principal.ts'
import type { ChangeEvent, Ctx, Origin, WriteCtx } from './context.ts'
import type { AnyOperation, Found } from './operation.ts'
import type { Services } from './services.ts'

/** Who calls, from where, and until when. */
type Call = { readonly principal: Principal; readonly origin: Origin; readonly signal?: AbortSignal; readonly deadlineMs?: number }

const defaultDeadlineMs = 30_000
const deepestInput = 64

/**
 * Runs one operation: who may call it at all, the shape of the input, its subjects in their order, then the operation itself, with its audit line in the
 * commit of the change. The only way to call an operation.
 *
 * Errors: faults of the table. Anything else that is thrown inside is logged and becomes `internal`.
 */
async function invoke<Output = unknown>(services: Services, call: Call, name: string, input: unknown): Promise<Output> {
  const operation = services.registry.get(name)
  if (!operation) throw fault('operation_not_found', { operation: name })
  const state: Invocation = { services, call, operation, input, events: [], audited: false }
  try {
    if (services.stopping.aborted && operation.effect !== 'read') throw fault('shutting_down', {}, { retryAfterMs: 5000 })
    const ctx = contextOf(state, services.store.reader)
    await mayCall(ctx, operation)
    await checkShape(operation, input)
    const output = await perform(ctx, state)
    for (const event of state.events) services.events.publish(event)
    return projector(operation.output)(output) as Output
  } catch (error) {
    throw settle(state, error)
  }
}

type Invocation = {
  readonly services: Services
  readonly call: Call
  readonly operation: AnyOperation
  readonly input: unknown
  readonly events: ChangeEvent[]
  audited: boolean
}

async function perform(ctx: Ctx, state: Invocation): Promise<unknown> {
  const { operation, input, services } = state
  if (operation.effect === 'write') {
    return services.store.write(async (tables) => {
      const inside = insideOf(ctx, tables)
      const output = await operation.run(inside, input, await findAll(inside, operation, input))
      await record(inside.db, lineOf(ctx, state, output), output)
      return output
    })
  }
  const output = await operation.run(ctx, input, await findAll(ctx, operation, input))
  // A read that reveals something, or an act that found nothing to commit, still leaves its line.
  if (operation.audit !== 'none' && !state.audited) await services.store.write((tables) => record(tables, lineOf(ctx, state, output), output))
  return output
}

function contextOf(state: Invocation, db: Tables): Ctx {
  const { services, call } = state
  const startedAt = services.clock.now()
  let signal: AbortSignal | undefined
  const ctx: Ctx = {
    principal: call.principal,
    origin: call.origin,
    clock: services.clock,
    ids: services.ids,
    log: services.log,
    // Made when it is asked for: most operations have ended before anybody could want to stop them.
    get signal() {
      signal ??= signalOf(state, startedAt)
      return signal
    },
    db,
    services,
    invoke: (name, input) => invoke(services, { ...call, signal: ctx.signal }, name, input),
    write: (work) =>
      services.store.write(async (tables) => {
        const result = await work(insideOf(ctx, tables))
        if (state.operation.audit !== 'none' && !state.audited) {
          await record(tables, lineOf(ctx, state, result), result)
          state.audited = true
        }
        return result
      }),
    emit: (event) => state.events.push(event),
  }
  auditLines.set(ctx, (output) => {
    state.audited = true
    return lineOf(ctx, state, output)
  })
  return ctx
}

/** A context that belongs to no operation, for streams: it reads, and cannot change anything but through other operations. */
function readingContext(services: Services, call: Call): Ctx {
  const signal = call.signal ? AbortSignal.any([services.stopping, call.signal]) : services.stopping
  return {
    principal: call.principal,
    origin: call.origin,
    clock: services.clock,
    ids: services.ids,
    log: services.log,
    signal,
    db: services.store.reader,
    services,
    invoke: (name, input) => invoke(services, { ...call, signal }, name, input),
    write: () => Promise.reject(new Error('A stream changes nothing')),
    emit: (event) => services.events.publish(event),
  }
}

function insideOf(ctx: Ctx, tables: Tables): WriteCtx {
  const refuse = () => Promise.reject(new Error('An operation inside a transaction calls core functions, not other operations'))
  const { principal, origin, clock, ids, log, services } = ctx
  const emit = (event: ChangeEvent) => ctx.emit(event)
  return {
    principal,
    origin,
    clock,
    ids,
    log,
    // Not copied: it would be made, with a timer of half a minute, for the many that never ask for it.
    get signal() {
      return ctx.signal
    },
    db: tables,
    services,
    writing: true,
    invoke: refuse,
    write: refuse,
    emit,
  }
}

const auditLines = new WeakMap<Ctx, (output: unknown) => AuditRow>()

/** The audit line of the operation that runs, for an act of the engine that carries it in its own commit. Asking for it is a promise to store it. */
function auditLineOf(ctx: Ctx, output: unknown): AuditRow {
  const line = auditLines.get(ctx)
  if (!line) throw new Error('This context belongs to no operation')
  return line(output)
}

function lineOf(ctx: Ctx, state: Invocation, output: unknown): AuditRow {
  return auditRow(ctx, state.operation, state.input, output, 'succeeded')
}

async function mayCall(ctx: Ctx, operation: AnyOperation): Promise<void> {
  if (!reaches(ctx.principal, operation)) {
    throw fault('forbidden', { operation: operation.name, need: 'a credential with a scope for it', subject: 'this server' })
  }
  const { access } = operation
  if (access === 'anyone' && (operation.entrance || !ctx.principal.closed)) return
  if (!isSignedIn(ctx.principal)) throw fault('unauthenticated')
  if (access === 'signed-in' || ctx.principal.administrator) return
  if (typeof access === 'object' && (await holdsSystem(ctx, access.system))) return
  const need = typeof access === 'object' ? `the system permission ${access.system}` : 'an administrator'
  throw fault('forbidden', { operation: operation.name, need, subject: 'this server' })
}

async function checkShape(operation: AnyOperation, input: unknown): Promise<void> {
  if (deeperThan(input, deepestInput)) {
    throw problemsFault('invalid_input', operation.name, [{ path: '', code: 'depth', message: `must not nest deeper than ${deepestInput} levels` }])
  }
  const problems = (await validator(operation.input))(input)
  if (problems.length > 0) throw problemsFault('invalid_input', operation.name, problems)
}

async function findAll(ctx: Ctx, operation: AnyOperation, input: unknown): Promise<Record<string, Found>> {
  const found: Record<string, Found> = {}
  for (const [name, rule] of Object.entries(operation.subjects)) {
    const reference = rule.reference(input)
    if (reference === undefined) continue
    found[name] = await find(ctx, rule, reference, operation.name)
  }
  return found
}

function signalOf(state: Invocation, startedAt: number): AbortSignal {
  const { call, services, operation } = state
  const signals = [services.stopping]
  if (call.signal) signals.push(call.signal)
  const deadlineMs = call.deadlineMs ?? operation.deadlineMs ?? (operation.effect === 'act' ? defaultDeadlineMs : null)
  if (deadlineMs !== null) signals.push(AbortSignal.timeout(Math.max(0, startedAt + deadlineMs - services.clock.now())))
  return signals.length === 1 ? services.stopping : AbortSignal.any(signals)
}

// What was done, and that it is to be told, in the commit of doing it.
async function record(tables: Tables, line: AuditRow, output: unknown): Promise<void> {
  await tables.audit.append([line])
  await queueOperation(tables, line, output)
}

// What leaves here is a fault of the table, whatever was thrown; refusals are noted for the audit trail, never waited for.
function settle(state: Invocation, error: unknown): unknown {
  const { services, call, operation } = state
  if (isFault(error)) {
    if (isRefusal(error.code)) {
      services.refusals.note({
        principal: call.principal,
        origin: call.origin,
        operation: operation.name,
        reference: error.context.reference ?? '',
        code: error.code,
      })
    }
    return error
  }
  if (error instanceof DuplicateKey) return fault('name_taken', { kind: missingKind(error.key), name: '' }, { cause: error })
  if (error instanceof StoreUnavailable) {
    services.log.error('store.unavailable', { operation: operation.name, error })
    return fault('store_unavailable', { seconds: 5 }, { cause: error, retryAfterMs: 5000 })
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    const seconds = (call.deadlineMs ?? operation.deadlineMs ?? defaultDeadlineMs) / 1000
    return fault('deadline_exceeded', { operation: operation.name, seconds }, { cause: error })
  }
  services.log.error('operation.failed', {
    operation: operation.name,
    request: call.origin.requestId,
    by: call.principal.name || everyoneName,
    error,
  })
  return fault('internal', { request_id: call.origin.requestId }, { cause: error })
}

function isRefusal(code: string): boolean {
  return (
    code === 'forbidden' || code === 'unauthenticated' || code === 'invalid_credential' || code === 'account_inactive' || code === 'network_refused'
  )
}

export type { Call }
export { invoke, readingContext, auditLineOf }
