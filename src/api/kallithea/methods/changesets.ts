import type { AnyMethod } from '../method.ts'

/** Contract §10. */
const changesetMethods: readonly AnyMethod[] = []

export { changesetMethods }
