import { changesetMethods } from './methods/changesets.ts'
import { gistMethods } from './methods/gists.ts'
import { pullRequestMethods } from './methods/pull-requests.ts'
import { repositoryMethods } from './methods/repositories.ts'
import { repositoryGroupMethods } from './methods/repository-groups.ts'
import { serverMethods } from './methods/server.ts'
import { userGroupMethods } from './methods/user-groups.ts'
import { userMethods } from './methods/users.ts'
import type { AnyMethod } from './method.ts'

/** Every method of the API, in the order of the contract. */
const methods: readonly AnyMethod[] = [
  ...serverMethods,
  ...userMethods,
  ...userGroupMethods,
  ...repositoryMethods,
  ...repositoryGroupMethods,
  ...gistMethods,
  ...changesetMethods,
  ...pullRequestMethods,
]

const byName = new Map(methods.flatMap((method) => [method.name, ...(method.aliases ?? [])].map((name) => [name, method] as const)))

/** The method of a name or of another name of it. */
function methodNamed(name: string): AnyMethod | undefined {
  return byName.get(name)
}

export { methods, methodNamed }
