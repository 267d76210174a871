import { systemPermissions } from './system.ts'

/** Named rights besides a level, on any kind of resource. On `system:system` the extras are the system permissions. */
const resourceExtras = ['attach', 'inspect', 'logs', 'processes', 'terminal'] as const

/** The extras of a list that a kind of resource does not know. */
function unknownExtras(kind: string, extras: readonly string[]): string[] {
  const known: readonly string[] = kind === 'system' ? Object.keys(systemPermissions) : resourceExtras
  return extras.filter((extra) => !known.includes(extra))
}

export { resourceExtras, unknownExtras }
