import type { AnyMethod } from '../method.ts'

/** Contract §10. */
const pullRequestMethods: readonly AnyMethod[] = []

export { pullRequestMethods }
