import type { Level } from '../kernel/level.ts'

/** What is special about a kind of resource. */
export type Kind = {
  readonly kind: string
  /** For messages: `repository`, `group of repositories`. */
  readonly title: string
  /** The owner holds `admin` without a grant (repositories, gists, …; not groups). */
  readonly ownerIsAdmin: boolean
  /** What `everyone` is granted when one is made outside of any parent; null: no row. */
  readonly everyone: Level | null
}

/** Every kind of resource. A new one is a line here and a file of operations. */
export const kinds = {
  system: { kind: 'system', title: 'system', ownerIsAdmin: false, everyone: null },
  group: { kind: 'group', title: 'group', ownerIsAdmin: false, everyone: 'read' },
  repository: { kind: 'repository', title: 'repository', ownerIsAdmin: true, everyone: 'read' },
  'repository-group': { kind: 'repository-group', title: 'group of repositories', ownerIsAdmin: false, everyone: 'read' },
  // Everyone's grant is of public ones only; who has the letters of a private one may read it.
  gist: { kind: 'gist', title: 'gist', ownerIsAdmin: true, everyone: 'read' },
  // A secret of everywhere, by its name: who holds *execute* on it may name it in a manifest.
  secret: { kind: 'secret', title: 'secret', ownerIsAdmin: false, everyone: null },
  workflow: { kind: 'workflow', title: 'workflow', ownerIsAdmin: true, everyone: null },
  connection: { kind: 'connection', title: 'connection', ownerIsAdmin: true, everyone: null },
  plugin: { kind: 'plugin', title: 'plugin', ownerIsAdmin: false, everyone: 'read' },
  artifact: { kind: 'artifact', title: 'shared list', ownerIsAdmin: true, everyone: null },
  namespace: { kind: 'namespace', title: 'namespace', ownerIsAdmin: false, everyone: null },
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

export function kindOf(name: string): Kind {
  const kind = (kinds as Record<string, Kind>)[name]
  if (!kind) throw new Error(`There is no kind of resource "${name}"`)
  return kind
}

export function isKind(name: string): name is KindName {
  return Object.hasOwn(kinds, name)
}
