import { fault, problemsFault } from '../kernel/fault.ts'
import { pageOf, pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { branchRef } from './branch-name.ts'
import { storageOf } from './code.ts'
import { Commit, viewCommit } from './commits.ts'
import { RepositoryMember } from './inputs.ts'
import { numberedCommit } from './numbers.ts'
import { onStorage } from './on-storage.ts'
import type { CodeChanges, NumberedCommit } from '../../ports/code-storage.ts'
import type { Static } from '../kernel/schema.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const listName = 'repository.list-history'

const Files = Closed({ added: Type.Array(Type.String()), changed: Type.Array(Type.String()), removed: Type.Array(Type.String()) })
const CommitWithNumber = Closed({
  ...Commit.properties,
  number: Type.Integer({ description: 'Its place among all commits, from 0: in git by the date of commit, in Mercurial its own revision number.' }),
  branch: Nullable(Type.String({ description: 'The branch that a Mercurial changeset belongs to. A git commit belongs to none.' })),
  files: Type.Optional(Files),
})
type CommitView = Static<typeof CommitWithNumber>

const NumberedRevision = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'A number (-1: the last one), a branch, a tag, a full ref name, a full commit id or `tip`, the last one.',
})

const listHistory = defineOperation({
  name: listName,
  summary: 'Lists commits of all branches by their numbers, or those of one branch, with the files that they change if asked for.',
  description: 'Bounds are inclusive. The pages of one list go on behind the last number, so what is pushed meanwhile is listed if it comes behind.',
  input: Closed({
    repository: RepositoryMember,
    start: Type.Optional(NumberedRevision),
    end: Type.Optional(NumberedRevision),
    since: Type.Optional(Time),
    until: Type.Optional(Time),
    branch: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    order: Type.Optional(OneOf(['oldest', 'newest'], { description: 'Which comes first; oldest when left out.' })),
    files: Type.Optional(Type.Boolean({ description: 'With the paths that each adds, changes and removes against its first parent.' })),
    ...listMembers,
  }),
  output: Closed({
    items: Type.Array(CommitWithNumber),
    next: Nullable(Type.String()),
    count: Type.Integer({ description: 'How many commits there are in all; 0 while the repository is empty.' }),
  }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', order: 'newest', limit: 10 },
  async run(ctx, input, { repository: { row } }) {
    const { limit, after } = pageRequest(input)
    const storage = storageOf(ctx.services, row)
    return onStorage(ctx, row, async () => {
      const count = await storage.count(row.id)
      if (count === 0) return { items: [], next: null, count }
      const [from, to] = await bounds(ctx, row, input)
      const order = input.order ?? 'oldest'
      const range = { ...behind(after, { from, to }, order), since: moment(input.since), until: moment(input.until) }
      const branch = input.branch === undefined ? null : branchRef(input.branch)
      const commits = await storage.range(row.id, { ...range, branch, order: `${order}-first`, limit: limit + 1 })
      if (commits === null) throw noBranch(input.branch ?? '')
      const page = pageOf(commits, limit, ({ number }) => [number])
      return { items: await viewed(ctx, row, page.items, input.files ?? false), next: page.next, count }
    })
  },
})

const getCommit = defineOperation({
  name: 'repository.get-commit',
  summary: 'Gives one commit with its number and the files that it adds, changes and removes.',
  input: Closed({ repository: RepositoryMember, revision: NumberedRevision }),
  output: CommitWithNumber,
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', revision: '0' },
  async run(ctx, { revision }, { repository: { row } }) {
    return onStorage(ctx, row, async () => {
      const { id, number } = await numberedCommit(ctx, row, revision)
      const storage = storageOf(ctx.services, row)
      const [[commit], [changes]] = await Promise.all([storage.log(row.id, id, { limit: 1, skip: 0 }), storage.changed(row.id, [id])])
      if (!commit) throw new Error('A commit that has a number is not there')
      return viewNumbered({ ...commit, number }, changes)
    })
  },
})

async function bounds(ctx: Ctx, row: ResourceRow, { start, end }: { start?: string | undefined; end?: string | undefined }) {
  const from = start === undefined ? null : (await numberedCommit(ctx, row, start, 'start')).number
  const to = end === undefined ? null : (await numberedCommit(ctx, row, end, 'end')).number
  if (from !== null && to !== null && from > to) {
    throw problemsFault('invalid_input', listName, [{ path: '/start', code: 'order', message: 'comes after the end' }])
  }
  return [from, to] as const
}

type Bounds = { readonly from: number | null; readonly to: number | null }

function behind(after: readonly (string | number)[] | null, bounds: Bounds, order: 'oldest' | 'newest'): Bounds {
  if (after === null) return bounds
  const [last] = after
  if (typeof last !== 'number' || !Number.isSafeInteger(last)) {
    throw fault('invalid_input', { operation: listName, count: 1, first: '/cursor is not a cursor of this list' })
  }
  return order === 'oldest' ? { ...bounds, from: Math.max(last + 1, bounds.from ?? 0) } : { ...bounds, to: Math.min(last - 1, bounds.to ?? last) }
}

async function viewed(ctx: Ctx, row: ResourceRow, commits: readonly NumberedCommit[], files: boolean): Promise<CommitView[]> {
  const ids = commits.map(({ id }) => id)
  const changes = files ? await storageOf(ctx.services, row).changed(row.id, ids) : []
  return commits.map((commit, at) => viewNumbered(commit, changes[at]))
}

function viewNumbered(commit: NumberedCommit, changes: CodeChanges | undefined): CommitView {
  const files = changes && { added: [...changes.added], changed: [...changes.changed], removed: [...changes.removed] }
  return { ...viewCommit(commit), number: commit.number, branch: commit.branch ?? null, ...(files ? { files } : {}) }
}

function moment(time: string | undefined): number | null {
  return time === undefined ? null : Date.parse(time)
}

function noBranch(branch: string) {
  const context = { absence: 'missing', kind: 'branch', reference: branch, member: 'branch' } as const
  return fault('not_found', { kind: 'branch', reference: branch }, { private: context })
}

export type { CommitView }
export { listHistory, getCommit, NumberedRevision }
