import type { AnyMethod } from '../method.ts'

/** Contract §8. */
const repositoryGroupMethods: readonly AnyMethod[] = []

export { repositoryGroupMethods }
