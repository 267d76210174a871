import type { Git, RefUpdate } from '../../ports/git.ts'

type HeadQuestion = {
  /** The full name that HEAD points at. */
  readonly head: string
  /** All branches and tags after the push. */
  readonly refs: ReadonlyMap<string, string>
  /** What the push changed. */
  readonly changes: readonly RefUpdate[]
}

/**
 * The branch that HEAD should point at after a push, or null when it is right as it is: the first push to a repository without branches makes its branch
 * the default one, preferring the one that HEAD names already (Kallithea contract 12.3).
 */
function headAfterPush({ head, refs, changes }: HeadQuestion): string | null {
  if (refs.has(head)) return null
  const made = changes.filter((change) => change.from === null && change.to !== null && change.ref.startsWith('refs/heads/') && refs.has(change.ref))
  const first = made[0]
  if (first === undefined) return null
  const names = new Set(made.map((change) => change.ref))
  // Branches that were there before: whoever left HEAD pointing at nothing wanted it so.
  return [...refs.keys()].every((ref) => !ref.startsWith('refs/heads/') || names.has(ref)) ? first.ref : null
}

/** Points HEAD at the branch of the first push. Harmless to repeat, so a push that a crash interrupted is finished by calling it again. */
async function adoptHead(git: Pick<Git, 'head' | 'refs' | 'setHead'>, id: string, changes: readonly RefUpdate[]): Promise<string | null> {
  if (!changes.some((change) => change.from === null && change.ref.startsWith('refs/heads/'))) return null
  const head = headAfterPush({ head: await git.head(id), refs: await git.refs(id), changes })
  if (head !== null) await git.setHead(id, head)
  return head
}

export type { HeadQuestion }
export { headAfterPush, adoptHead }
