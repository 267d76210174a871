import type { AnyMethod } from '../method.ts'

/** Contract §6. */
const userGroupMethods: readonly AnyMethod[] = []

export { userGroupMethods }
