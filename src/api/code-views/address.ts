import { archiveFormats } from '../../ports/code-streams.ts'
import type { ArchiveFormat } from '../../ports/code-streams.ts'

/** What an address below a repository shows (Kallithea contract §12.5 and §12.6). Texts are decoded. */
type View =
  | { readonly kind: 'raw'; readonly revision: string; readonly path: string }
  | { readonly kind: 'difference'; readonly form: 'diff' | 'patch'; readonly revision: string }
  /** `format` null: its end is none of an archive. */
  | { readonly kind: 'archive'; readonly revision: string; readonly format: ArchiveFormat | null }

/** One way to read an address: a repository's path, and what of it. */
type Reading = { readonly repository: string; readonly view: View }

const words = ['raw', 'changeset-diff', 'changeset-patch', 'archive'] as const
const mostReadings = 8
const longestPath = 2000

/** Whether an address may be one of a view: cheap, because it is asked of every request. */
function looksLikeView(target: string): boolean {
  return /\/(?:raw|changeset-diff|changeset-patch|archive)\//.test(target) && !/\/info\/refs\?service=/.test(target)
}

/**
 * All ways to read the path of an address. Repositories are at any depth and may be called as the views are, so there can be several; at most one of
 * the repositories exists, since none can lie below another.
 */
function readingsOf(target: string): Reading[] {
  const path = target.replace(/[?#].*$/s, '').replace(/^\/+/, '')
  const segments = path.split('/')
  const texts = segments.map(decoded)
  const readings: Reading[] = []
  for (const [at, segment] of segments.entries()) {
    const word = words.find((one) => one === segment)
    const [before, behind] = [texts.slice(0, at), texts.slice(at + 1)]
    if (!word || at === 0 || before.some((text) => text === null || /[/\\]/.test(text)) || behind.includes(null)) continue
    const view = viewOf(word, behind as string[]) // none is null
    const repository = before.join('/')
    if (view && repository.length <= longestPath) readings.push({ repository, view })
    if (readings.length === mostReadings) break
  }
  return readings
}

function viewOf(word: (typeof words)[number], behind: readonly string[]): View | null {
  const [revision = ''] = behind
  if (word === 'raw') {
    const files = behind.slice(1)
    // A slash that was written as %2F is part of no name.
    if (files.length === 0 || files.some((text) => text.includes('/'))) return null
    return { kind: 'raw', revision, path: files.join('/') }
  }
  if (word === 'archive') {
    const name = behind.join('/')
    const format = archiveFormats.find((one) => name.endsWith(`.${one}`) && name.length > one.length + 1) ?? null
    return { kind: 'archive', revision: format === null ? name : name.slice(0, -format.length - 1), format }
  }
  return behind.length === 1 ? { kind: 'difference', form: word === 'changeset-diff' ? 'diff' : 'patch', revision } : null
}

// Null for what can be a part of no path.
function decoded(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment)
    return text === '' || text === '.' || text === '..' || text.includes('\0') ? null : text
  } catch {
    return null
  }
}

export type { View, Reading }
export { looksLikeView, readingsOf }
