import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { branchName, branchRef } from './branch-name.ts'
import { RepositoryMember } from './inputs.ts'
import { stillThere } from './place.ts'
import { patchedSpec, specOf } from './spec.ts'
import { CodePushRefused } from '../../ports/code-storage.ts'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { ProtectedBranch } from './spec.ts'

const mostProtected = 100

const BranchMember = Type.String({ minLength: 1, maxLength: 255 })
const Protected = Closed({
  branch: Type.String(),
  approvals: Type.Integer({ description: 'How many who may write the repository, its author not counted, must approve the head of a pull request.' }),
})
const ProtectedList = Closed({ id: Type.String(), path: Type.String(), items: Type.Array(Protected), next: Type.Null() })
const audit = {
  subject: (input: { repository: string }, output: { path: string } | undefined) => `repository:${output?.path ?? input.repository}`,
  subjectId: (_: unknown, output: { id: string } | undefined) => output?.id ?? null,
}

const protectBranch = defineOperation({
  name: 'repository.protect-branch',
  summary: 'Lets a branch change by pull requests only, with so many approvals, and lists all such branches.',
  description:
    'It holds for everyone, administrators as well; only what is pulled from where the repository is copied from goes on. The branch need not exist yet. Done again it changes how many approvals are needed.',
  input: Closed({ repository: RepositoryMember, branch: BranchMember, approvals: Type.Optional(Type.Integer({ minimum: 0, maximum: 20 })) }),
  output: ProtectedList,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'write',
  audit: { ...audit, detail: ({ branch, approvals = 1 }) => ({ branch, approvals }) },
  example: { repository: 'lab/weather', branch: 'main', approvals: 2 },
  async run(ctx, { branch, approvals = 1 }, { repository: { row } }) {
    const name = branchName(branchRef(branch))
    return change(ctx, row, (before) => [...before.filter((one) => one.branch !== name), { branch: name, approvals }])
  },
})

const unprotectBranch = defineOperation({
  name: 'repository.unprotect-branch',
  summary: 'Lets a branch change by pushes again, and lists the branches that still do not.',
  input: Closed({ repository: RepositoryMember, branch: BranchMember }),
  output: ProtectedList,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'write',
  audit: { ...audit, detail: ({ branch }) => ({ branch }) },
  example: { repository: 'lab/weather', branch: 'main' },
  run: async (ctx, { branch }, { repository: { row } }) =>
    change(ctx, row, (before) => before.filter((one) => one.branch !== branchName(branchRef(branch)))),
})

const listProtectedBranches = defineOperation({
  name: 'repository.list-protected-branches',
  summary: 'Lists the branches of a repository that change by pull requests only.',
  input: Closed({ repository: RepositoryMember }),
  output: ProtectedList,
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  run: async (_ctx, _input, { repository: { row } }) => view(row, specOf(row).protected_branches),
})

async function change(ctx: WriteCtx, row: ResourceRow, next: (before: readonly ProtectedBranch[]) => ProtectedBranch[]) {
  const now = await stillThere(ctx.db, row, 'repository')
  const protected_branches = next(specOf(now).protected_branches)
  if (protected_branches.length > mostProtected) {
    throw fault('quota_exceeded', { scope: `The repository "${now.name}"`, limit: `${mostProtected} protected branches` })
  }
  protected_branches.sort((a, b) => (a.branch < b.branch ? -1 : 1))
  await ctx.db.resources.update(row.id, { spec: patchedSpec(now, { protected_branches }), updated_at: ctx.clock.now() })
  ctx.emit({ kind: 'repository', id: row.id, name: now.name, state: 'updated', resource_id: row.id })
  return view(now, protected_branches)
}

function view({ id, name }: ResourceRow, items: readonly ProtectedBranch[]) {
  return { id, path: name, items: items.map(({ branch, approvals }) => ({ branch, approvals })), next: null }
}

/** The first protected branch among those that would change past their protection; null when there is none. */
async function protectedAmong(ctx: Ctx, { id }: Pick<ResourceRow, 'id'>, changes: readonly RefUpdate[]): Promise<string | null> {
  const row = await ctx.db.resources.byId(id)
  const refs = new Set(row ? specOf(row).protected_branches.map(({ branch }) => branchRef(branch)) : [])
  const meant = changes.find(({ ref, from, to }) => refs.has(ref) && from !== to)
  return meant ? branchName(meant.ref) : null
}

/** Refuses a change of a protected branch, whoever makes it: `state_conflict`. */
async function refuseProtected(ctx: Ctx, row: Pick<ResourceRow, 'id'>, changes: readonly RefUpdate[]): Promise<void> {
  const branch = await protectedAmong(ctx, row, changes)
  if (branch === null) return
  throw fault('state_conflict', { what: `The branch "${branch}"`, state: 'protected', next: 'Push another branch, and make a pull request.' })
}

/** As `refuseProtected`, for a push: its client is told why. */
async function refuseProtectedPush(ctx: Ctx, row: Pick<ResourceRow, 'id'>, changes: readonly RefUpdate[]): Promise<void> {
  const branch = await protectedAmong(ctx, row, changes)
  if (branch !== null) throw new CodePushRefused(`${branch} is protected: push another branch, and make a pull request`)
}

/** How many approvals a pull request into a branch needs; null when it is not protected. */
function approvalsNeeded(row: Pick<ResourceRow, 'spec'>, branch: string): number | null {
  return specOf(row).protected_branches.find((one) => one.branch === branch)?.approvals ?? null
}

export { protectBranch, unprotectBranch, listProtectedBranches, refuseProtected, refuseProtectedPush, approvalsNeeded }
