/** A repository that an operator put below the folder of incoming ones. */
type Found = { readonly path: string; readonly kind: 'git' | 'hg'; readonly folder: string }

/** Repositories that wait to be taken in (Kallithea contract §15 D26). Nothing of ours writes there but to mark what was taken. */
type Incoming = {
  /** What is there, by path. Names that begin with a dot, and repositories with a working copy of git, are passed by. */
  list(): Promise<readonly Found[]>
  /** Takes it out of the list, by another name in the same place. */
  taken(found: Found, id: string): Promise<void>
}

export type { Found, Incoming }
