import type { AnyMethod } from '../method.ts'

/** Contract §9. */
const gistMethods: readonly AnyMethod[] = []

export { gistMethods }
