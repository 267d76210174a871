import { subjectReferences } from '../access/subject.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { levels } from '../kernel/level.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { RepositoryMember } from './inputs.ts'

/** Who was granted what on a repository, for everybody who may read it: clients show it beside the repository (Kallithea contract §3.5). */
const listMembersOfRepository = defineOperation({
  name: 'repository.list-members',
  summary: 'Lists to whom something is granted on a repository: users first, then groups. Its owner and administrators need no grant.',
  input: Closed({ repository: RepositoryMember }),
  output: Closed({
    items: Type.Array(Closed({ to: Type.String({ description: '`user:…`, `group:…` or `everyone`.' }), level: OneOf(levels) })),
    next: Type.Null(),
  }),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, _input, { repository: { row } }) {
    const grants = await ctx.db.grants.ofResource(row.id)
    const referenceOf = await subjectReferences(ctx.db, grants)
    const items = grants.flatMap(({ subject_id, subject_kind, level }) => {
      const to = referenceOf(subject_id)
      return to === null ? [] : [{ to, level, group: subject_kind === 'group' }]
    })
    items.sort((a, b) => Number(a.group) - Number(b.group) || (a.to < b.to ? -1 : 1))
    return { items: items.map(({ to, level }) => ({ to, level })), next: null }
  },
})

export { listMembersOfRepository }
