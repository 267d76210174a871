import type { AnyMethod } from '../method.ts'

/** Contract §5. */
const userMethods: readonly AnyMethod[] = []

export { userMethods }
