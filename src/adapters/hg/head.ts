import type { CodeStorage, RefUpdate } from '../../ports/code-storage.ts'

/**
 * Makes the branch of a first push the default one, unless the branch that is it already exists: what Kallithea's contract (§12.3) says of git. Harmless to
 * repeat, so a push that a crash interrupted is finished by calling it again.
 */
async function adoptHead(storage: Pick<CodeStorage, 'head' | 'refs' | 'setHead'>, id: string, changes: readonly RefUpdate[]): Promise<string | null> {
  const made = new Set(changes.filter(({ ref, from, to }) => from === null && to !== null && ref.startsWith('refs/heads/')).map(({ ref }) => ref))
  if (made.size === 0) return null
  const refs = await storage.refs(id)
  if (refs.has(await storage.head(id))) return null
  const branches = [...refs.keys()].filter((ref) => ref.startsWith('refs/heads/'))
  const [first] = branches.filter((ref) => made.has(ref))
  // Branches that were there before: whoever left the default branch pointing at nothing wanted it so.
  if (first === undefined || branches.some((ref) => !made.has(ref))) return null
  await storage.setHead(id, first)
  return first
}

export { adoptHead }
