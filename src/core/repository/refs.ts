import { pageOf, pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { branchName } from './branch-name.ts'
import { storageOf } from './code.ts'
import { RepositoryMember } from './inputs.ts'
import { onStorage } from './on-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const Branch = Closed({ name: Type.String(), commit: Type.String(), default: Type.Boolean() })
const Tag = Closed({
  name: Type.String(),
  commit: Type.String({ description: 'The commit that it leads to, however often tagged; of a tag that leads to none, the object.' }),
})

export const listBranches = defineOperation({
  name: 'repository.list-branches',
  summary: 'Lists the branches of a repository by name, with the commit that each points at.',
  input: Closed({ repository: RepositoryMember, ...listMembers }),
  output: PageOf(Branch),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const page = await refsPage(ctx, row, 'refs/heads/', input)
    const head = await onStorage(ctx, row, () => storageOf(ctx.services, row).head(row.id))
    return { items: page.items.map(([name, commit]) => ({ name, commit, default: name === branchName(head) })), next: page.next }
  },
})

export const listTags = defineOperation({
  name: 'repository.list-tags',
  summary: 'Lists the tags of a repository by name, with the commit that each leads to.',
  input: Closed({ repository: RepositoryMember, ...listMembers }),
  output: PageOf(Tag),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const page = await refsPage(ctx, row, 'refs/tags/', input)
    const storage = storageOf(ctx.services, row)
    const items = await onStorage(ctx, row, () =>
      Promise.all(page.items.map(async ([name, object]) => ({ name, commit: (await storage.resolve(row.id, object)) ?? object }))),
    )
    return { items, next: page.next }
  },
})

export const listBookmarks = defineOperation({
  name: 'repository.list-bookmarks',
  summary: 'Lists the bookmarks of a Mercurial repository by name, with the commit that each points at. Git has none.',
  input: Closed({ repository: RepositoryMember, ...listMembers }),
  output: PageOf(Closed({ name: Type.String(), commit: Type.String() })),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const page = await refsPage(ctx, repository.row, 'refs/bookmarks/', input)
    return { items: page.items.map(([name, commit]) => ({ name, commit })), next: page.next }
  },
})

async function refsPage(ctx: Ctx, row: ResourceRow, prefix: string, input: { limit?: number | undefined; cursor?: string | undefined }) {
  const { limit, after } = pageRequest(input)
  const behind = String(after?.[0] ?? '')
  const refs = await onStorage(ctx, row, () => storageOf(ctx.services, row).refs(row.id))
  const named = [...refs]
    .filter(([ref]) => ref.startsWith(prefix))
    .map(([ref, commit]) => [ref.slice(prefix.length), commit] as const)
    .filter(([name]) => name > behind)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return pageOf(named.slice(0, limit + 1), limit, ([name]) => [name])
}
