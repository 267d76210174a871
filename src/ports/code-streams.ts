/**
 * What code storage gives piece by piece, however large it is. Each is made by a program of its own, bounded in number (`CodeBusy`), no faster than it is
 * read: ending the reading early, or the signal, ends the program. What fails before the first piece rejects.
 */
type CodeStreams = {
  /** The bytes of a blob, by the id that an entry said. */
  content(id: string, oid: string, options: { signal: AbortSignal }): Promise<CodeBytes>
  /** All files of a commit, packed; each below the folder `prefix`. */
  archive(id: string, commit: string, options: { format: ArchiveFormat; prefix: string; signal: AbortSignal }): Promise<CodeBytes>
  /**
   * What a commit changes against its first parent, in git's form of a diff with binary files; as a `patch` with who made it, when and why in front, in the
   * form that the tools of this storage take in again (`git am`, `hg import`).
   */
  difference(id: string, commit: string, options: { form: 'diff' | 'patch'; signal: AbortSignal }): Promise<CodeBytes>
}

type CodeBytes = AsyncIterableIterator<Uint8Array>

const archiveFormats = ['zip', 'tar.gz', 'tar.bz2', 'tar'] as const
type ArchiveFormat = (typeof archiveFormats)[number]

export type { CodeStreams, CodeBytes, ArchiveFormat }
export { archiveFormats }
