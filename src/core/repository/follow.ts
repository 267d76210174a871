import { Closed, Type } from '../kernel/schema.ts'
import { UserSummary, userSummary } from '../identity/view.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { RepositoryMember } from './inputs.ts'
import type { AnyOperation } from '../operation/operation.ts'

const input = Closed({ repository: RepositoryMember })
const output = Closed({ id: Type.String(), path: Type.String(), changed: Type.Boolean({ description: 'False when it was so before.' }) })
const audit = { subject: (given: { repository: string }, made: { path: string } | undefined) => `repository:${made?.path ?? given.repository}` }

const follow = defineOperation({
  name: 'repository.follow',
  summary: 'Lets the caller follow a repository. Who makes one follows it already.',
  input,
  output,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'write',
  audit,
  example: { repository: 'lab/weather' },
  async run(ctx, _input, { repository: { row } }) {
    return { id: row.id, path: row.name, changed: await ctx.db.followers.add(row.id, ctx.principal.id, ctx.clock.now()) }
  },
})

const unfollow = defineOperation({
  name: 'repository.unfollow',
  summary: 'Lets the caller no longer follow a repository.',
  input,
  output,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'write',
  audit,
  example: { repository: 'lab/weather' },
  async run(ctx, _input, { repository: { row } }) {
    return { id: row.id, path: row.name, changed: await ctx.db.followers.remove(row.id, ctx.principal.id) }
  },
})

const listFollowers = defineOperation({
  name: 'repository.list-followers',
  summary: 'Lists who follows a repository, by name.',
  input,
  output: Closed({ items: Type.Array(UserSummary), next: Type.Null() }),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, _input, { repository: { row } }) {
    return { items: (await ctx.db.followers.ofResource(row.id)).map(userSummary), next: null }
  },
})

const followOperations: readonly AnyOperation[] = [follow, unfollow, listFollowers]

export { followOperations }
