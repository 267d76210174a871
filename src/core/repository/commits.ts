import { timestamp } from '../kernel/clock.ts'
import { fault } from '../kernel/fault.ts'
import { pageOf, pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, Time, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { storageOf } from './code.ts'
import { RepositoryMember, RevisionMember } from './inputs.ts'
import { commitOf } from './revision.ts'
import { onStorage } from './on-storage.ts'
import type { CodeCommit, CodeSignature } from '../../ports/code-storage.ts'

const Signature = Closed({ name: Type.String(), email: Type.String(), at: Time })
const Commit = Closed({
  id: Type.String(),
  parents: Type.Array(Type.String()),
  author: Signature,
  committer: Signature,
  message: Type.String(),
})

const listCommits = defineOperation({
  name: 'repository.list-commits',
  summary: 'Lists the commits that lead to a revision, newest first.',
  description: 'The pages of one list belong to the commit that the revision meant at the first, whatever is pushed meanwhile.',
  input: Closed({ repository: RepositoryMember, revision: Type.Optional(RevisionMember), ...listMembers }),
  output: Closed({ items: Type.Array(Commit), next: Nullable(Type.String()), revision: Nullable(Type.String()) }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', limit: 10 },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const { limit, after } = pageRequest(input)
    return onStorage(ctx, row, async () => {
      const start = after ? position(after) : { commit: await commitOf(ctx, row, input.revision), skip: 0 }
      const { commit, skip } = start
      if (commit === null) return { items: [], next: null, revision: null }
      const commits = await storageOf(ctx.services, row).log(row.id, commit, { limit: limit + 1, skip })
      const page = pageOf(commits, limit, () => [commit, skip + limit])
      return { items: page.items.map(viewCommit), next: page.next, revision: commit }
    })
  },
})

function position(after: readonly (string | number)[]): { commit: string; skip: number } {
  const [commit, skip] = after
  if (typeof commit === 'string' && /^[0-9a-f]{40}$/.test(commit) && typeof skip === 'number' && Number.isSafeInteger(skip) && skip >= 0)
    return { commit, skip }
  throw fault('invalid_input', { operation: 'repository.list-commits', count: 1, first: '/cursor is not a cursor of this list' })
}

function viewCommit({ id, parents, author, committer, message }: CodeCommit) {
  return { id, parents: [...parents], author: viewSignature(author), committer: viewSignature(committer), message }
}

function viewSignature({ name, email, at }: CodeSignature) {
  // A date outside of what a moment can be would make the whole list fail.
  return { name, email, at: timestamp(Math.abs(at) <= 8.64e15 ? at : 0) }
}

export { Commit, viewCommit, listCommits }
