import { asIs, flag, optional, required } from '../argument.ts'
import { encodeRepository } from '../encode.ts'
import { absent } from '../errors.ts'
import { referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { AnyMethod } from '../method.ts'

const getRepo = defineMethod({
  name: 'get_repo',
  args: { repoid: required(asIs), with_revision_names: optional(flag, false), with_pullrequests: optional(flag, false) },
  caller: 'anybody',
  operations: ['repository.get'],
  errors: [absent('repository', 'repository `{repoid}` does not exist')],
  async run(call, { repoid }) {
    const repository = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', repoid) })
    return encodeRepository(repository)
  },
})

/** Contract §7. */
const repositoryMethods: readonly AnyMethod[] = [getRepo]

export { repositoryMethods }
