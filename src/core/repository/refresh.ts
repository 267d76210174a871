import { defineOperation, subject } from '../operation/operation.ts'
import { Closed } from '../kernel/schema.ts'
import { branchName } from './branch-name.ts'
import { factsOf } from './after-push.ts'
import { RepositoryMember } from './inputs.ts'
import { onStorage } from './on-storage.ts'
import { stillThere } from './place.ts'
import { patchedSpec } from './spec.ts'
import { Repository, viewOneRepository } from './view.ts'

const refreshRepository = defineOperation({
  name: 'repository.refresh',
  summary: 'Reads anew what lists show of a repository (its newest commit, size and default branch), and gives it.',
  input: Closed({ repository: RepositoryMember }),
  output: Repository,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'write', 'repository') },
  effect: 'act',
  audit: { subject: (input, output) => `repository:${output?.path ?? input.repository}` },
  example: { repository: 'lab/weather' },
  async run(ctx, _input, { repository: { row } }) {
    const { head, ...facts } = await onStorage(ctx, row, () => factsOf(ctx.services, row))
    return ctx.write(async (inside) => {
      const now = await stillThere(inside.db, row, 'repository')
      await inside.db.resources.update(row.id, { spec: patchedSpec(now, { ...facts, default_branch: branchName(head) }) })
      return viewOneRepository(inside, await stillThere(inside.db, row, 'repository'))
    })
  },
})

export { refreshRepository }
