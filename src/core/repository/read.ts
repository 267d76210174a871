import { pageRequest, viewPage } from '../kernel/page.ts'
import { Closed, listMembers, PageOf, Type } from '../kernel/schema.ts'
import { viewerOf } from '../identity/principal.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { kindOf } from '../resource/kind.ts'
import { knownOf } from './known.ts'
import { GroupMember, RepositoryMember } from './inputs.ts'
import { Repository, viewOneRepository, viewRepositories } from './view.ts'

const getRepository = defineOperation({
  name: 'repository.get',
  summary: 'Gives one repository.',
  input: Closed({ repository: RepositoryMember }),
  output: Repository,
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  run: (ctx, _, { repository }) => viewOneRepository(ctx, repository.row),
})

const listRepositories = defineOperation({
  name: 'repository.list',
  summary: 'Lists the repositories that the caller may read, by path.',
  input: Closed({
    group: Type.Optional(GroupMember),
    below: Type.Optional(Type.Boolean({ description: 'With `group`: what is in groups of the group as well.' })),
    search: Type.Optional(Type.String({ maxLength: 300, description: 'Only paths that contain this, ignoring case.' })),
    ...listMembers,
  }),
  output: PageOf(Repository),
  access: 'anyone',
  subjects: { group: subject('repository-group', 'read', 'group') },
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  async run(ctx, input, { group }) {
    const place = !input.group ? {} : input.below ? { prefix: `${group.row.name}/` } : { parentId: group.row.id }
    const filter = { kind: 'repository', ...place, ...(input.search ? { search: input.search } : {}) }
    const { ownerIsAdmin } = kindOf('repository')
    const asked = [filter, viewerOf(ctx.principal), { need: 'read', ownerIsAdmin }, pageRequest(input)] as const
    const { items, next } = await ctx.db.resources.keys(...asked)
    const known = await knownOf(ctx.services).views(ctx, items)
    if (known) return { items: known, next }
    return viewPage(ctx.db.resources.page(...asked), (rows) => viewRepositories(ctx, rows))
  },
})

export { getRepository, listRepositories }
