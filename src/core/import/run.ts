import { isFault } from '../kernel/fault.ts'
import { DuplicateKey } from '../../ports/store/store.ts'
import { SourceRefused } from '../../ports/import-source.ts'
import { CodeContentRefused, CodeTimeout, CodeUnavailable } from '../../ports/code-storage.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { ImportSource, SourceKind } from '../../ports/import-source.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { ImportNote, ReportBuilder } from './report.ts'
import type { Brought, Ledger } from './ledger.ts'

/** One import while it runs. */
type ImportRun = {
  readonly ctx: Ctx
  readonly source: ImportSource
  readonly ledger: Ledger
  readonly report: ReportBuilder
  readonly options: ImportOptions
  /** The first serial of each kind that nobody has there, for those whose own is taken here. */
  readonly spare: Map<SourceKind, number>
  /** In a dry run: the names that earlier things would have taken. */
  readonly pretended: Set<string>
}

type ImportOptions = {
  /** Looks and tells, and changes nothing. */
  readonly dryRun: boolean
  /** Users there who have the name of one here are that user. Otherwise they are not brought. */
  readonly sameUsers: boolean
  /** What things are to be called here, by `<kind>:<name there>`. */
  readonly names: ReadonlyMap<string, string>
}

/** Why one thing cannot be brought, in words for the operator. */
class NotBrought extends Error {
  override readonly name = 'NotBrought'
}

type Item = { readonly id: number; readonly name: string }

/** Brings one thing unless it is here already. What is wrong with it is told in the report, and keeps nothing else back. */
async function bring(run: ImportRun, kind: SourceKind, item: Item, work: () => Promise<void>): Promise<void> {
  run.ctx.signal.throwIfAborted()
  if (await run.ledger.find(kind, item.id)) return run.report.count(kind, 'before')
  try {
    await work()
    run.report.count(kind, 'brought')
  } catch (error) {
    const why = reasonOf(error)
    if (why === null) throw error
    run.report.count(kind, 'refused')
    run.report.note({ kind, id: item.id, name: item.name, what: 'refused', why })
  }
}

// Anything else (a full disk, a defect, Ctrl-C) ends the import; the next run goes on from there.
function reasonOf(error: unknown): string | null {
  if (error instanceof NotBrought || error instanceof SourceRefused) return error.message
  if (error instanceof DuplicateKey) return 'its name or number is taken here'
  if (error instanceof CodeTimeout) return 'copying its storage took too long'
  if (error instanceof CodeContentRefused) return `its storage holds what cannot be taken over: ${error.message}`
  if (error instanceof CodeUnavailable) return `its storage cannot be read: ${error.message}`
  if (isFault(error) && error.code !== 'store_unavailable' && error.code !== 'internal') return error.message
  return null
}

/** Says that a thing is not just as it was. */
function changed(run: ImportRun, kind: ImportNote['kind'], item: Item, why: string): void {
  run.report.note({ kind, id: item.id, name: item.name, what: 'changed', why })
}

/** One commit of an import; in a dry run `work` is not done, and `entry` remembered. */
async function commit(run: ImportRun, kind: SourceKind, id: number, entry: Brought, work: (ctx: WriteCtx) => Promise<void>): Promise<void> {
  const kept: JsonObject = { ...entry }
  if (run.options.dryRun) return run.ledger.pretend(kind, id, kept)
  await write(run, async (inside) => {
    await work(inside)
    await run.ledger.keep(inside.db, kind, id, kept)
    await inside.db.audit.append([auditLine(run, kind, entry)])
  })
}

function write(run: ImportRun, work: (ctx: WriteCtx) => Promise<void>): Promise<void> {
  // A context inside a transaction is one with its tables: nothing that is called with it asks for more.
  return run.ctx.services.store.write((tables: Tables) => work({ ...run.ctx, db: tables, writing: true } as WriteCtx))
}

const operations: Record<SourceKind, string> = {
  user: 'user.create',
  group: 'group.create',
  'repository-group': 'repository-group.create',
  repository: 'repository.create',
  gist: 'gist.create',
  'pull-request': 'pull-request.create',
}

function auditLine({ ctx, source }: ImportRun, kind: SourceKind, made: Brought) {
  return {
    id: ctx.ids.record(),
    at: ctx.clock.now(),
    actor_id: ctx.principal.id,
    actor: ctx.principal.name,
    operation: operations[kind],
    subject: `${kind}:${made.name}`,
    subject_id: made.id,
    outcome: 'succeeded' as const,
    via: 'import',
    peer: '',
    credential: ctx.principal.credential,
    request_id: ctx.origin.requestId,
    intent_id: null,
    detail: { from: source.product },
  }
}

/** The number that a thing had there, or another one where somebody has that here; with a note then. */
async function serialFor(run: ImportRun, kind: SourceKind, item: Item, isTaken: (serial: number) => Promise<boolean>): Promise<number> {
  const free = async (serial: number) => !run.pretended.has(`${kind}#${serial}`) && !(await isTaken(serial))
  let serial = item.id
  if (!(await free(serial))) {
    serial = run.spare.get(kind) ?? (await run.source.highest(kind)) + 1
    while (!(await free(serial))) serial++
    run.spare.set(kind, serial + 1)
    changed(run, kind, item, `its number here is ${serial}, because ${item.id} is taken`)
  }
  if (run.options.dryRun) run.pretended.add(`${kind}#${serial}`)
  return serial
}

/** The name that a thing shall have here. */
function nameFor(run: ImportRun, kind: SourceKind, name: string): string {
  return run.options.names.get(`${kind}:${name}`) ?? name
}

/** Takes a name in a dry run; false when an earlier thing has it. */
function pretendName(run: ImportRun, name: string): boolean {
  if (!run.options.dryRun) return true
  if (run.pretended.has(name)) return false
  run.pretended.add(name)
  return true
}

export type { ImportRun, ImportOptions, Item }
export { NotBrought, bring, changed, commit, write, serialFor, nameFor, pretendName, reasonOf }
