import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { isKept, keptMs } from './loading.ts'
import { openViewer } from './namespace.ts'
import { parameterFault } from './parameter.ts'
import { given } from './request.ts'
import { checkBranch, checkDirectory, checkRepositoryName } from './source.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Static } from '../kernel/schema.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { LoadingRow } from '../../ports/store/loading.ts'
import type { LoadingError } from './loading.ts'

const KindMember = OneOf(['task', 'pipeline'], { description: 'A manifest.json, or a pipeline.json.' })
const ProblemItem = Type.Unsafe<Problem>({ type: 'object' })

const Loading = Closed({
  id: Type.String({ description: 'Whoever has it may read the outcome.' }),
  kind: KindMember,
  state: OneOf(['pending', 'running', 'succeeded', 'failed']),
  step: OneOf(['resolving', 'fetching', 'reading', 'validating', 'done']),
  repository: Type.String(),
  directory: Type.String(),
  branch: Type.String(),
  commit: Nullable(Type.String()),
  configuration: Nullable(Type.Unsafe<JsonObject>({ type: 'object' })),
  problems: Type.Array(ProblemItem, { description: 'What is wrong with a definition that could be read.' }),
  error: Nullable(Type.Unsafe<LoadingError>({ type: 'object' })),
  created_at: Time,
  finished_at: Nullable(Time),
  expires_at: Nullable(Time),
})
type LoadingView = Static<typeof Loading>

const start = defineOperation({
  name: 'loading.start',
  summary: 'Begins to read a definition from git and gives its id; what goes wrong is said by its state.',
  description: 'Callers without credentials read public repositories only. The outcome is kept for an hour.',
  input: Closed({
    kind: KindMember,
    repository: Type.String({ maxLength: 300 }),
    directory: Type.String({ maxLength: 1024 }),
    branch: Type.Optional(Type.String({ maxLength: 1024, description: '`master` when left out, or else the default branch.' })),
  }),
  output: Loading,
  access: 'anyone',
  subjects: {},
  // It reads, only later: what it writes down is the answer itself, which is gone after an hour. So there is nothing to audit.
  effect: 'read',
  audit: 'none',
  example: { kind: 'task', repository: 'sample', directory: 'hello' },
  async run(ctx, input) {
    openViewer(ctx)
    const branch = given(input.branch)
    if (input.repository === '') throw parameterFault('repository', 'is required')
    checkRepositoryName(input.repository)
    checkDirectory(input.directory)
    if (branch !== null) checkBranch(branch)
    const { kind, repository, directory } = input
    return loadingView(await ctx.services.loadings.begin(ctx, { kind, repository, directory, branch }))
  },
})

const get = defineOperation({
  name: 'loading.get',
  summary: 'Where a loading stands, and the definition when it has succeeded.',
  input: Closed({ kind: KindMember, loading: Type.String({ maxLength: 100, description: 'Its id.' }) }),
  output: Loading,
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { kind: 'task', loading: '0123456789abcdef0123456789abcdef' },
  async run(ctx, input) {
    openViewer(ctx)
    const row = await ctx.db.loadings.byId(input.loading)
    if (row?.kind === input.kind && isKept(row, ctx.clock.now())) return loadingView(row)
    const context = { absence: 'missing', kind: 'work', reference: input.loading, member: 'loading' } as const
    throw fault('not_found', { kind: 'loading', reference: input.loading }, { private: context })
  },
})

function loadingView(row: LoadingRow): LoadingView {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    step: row.step,
    repository: row.repository,
    directory: row.directory,
    branch: row.branch ?? 'master',
    commit: row.commit,
    configuration: row.configuration,
    problems: row.problems as unknown as Problem[], // written by `load` only
    error: row.error as unknown as LoadingError | null, // written by `load` only
    created_at: timestamp(row.created_at),
    finished_at: timestamp(row.finished_at),
    expires_at: row.finished_at === null ? null : timestamp(row.finished_at + keptMs),
  }
}

const loadingOperations: readonly AnyOperation[] = [start, get]

export type { LoadingView }
export { loadingOperations }
