import type { SourceKind } from '../../ports/import-source.ts'

/** Kinds of things in the order in which they are brought. Comments are counted, each with what it is on. */
const importKinds = ['user', 'group', 'repository-group', 'repository', 'gist', 'pull-request', 'comment'] as const
type ImportKind = (typeof importKinds)[number]

type Count = { found: number; brought: number; before: number; refused: number }

/** What the operator should know of one thing: it was not brought (`refused`), or not just as it was (`changed`). */
type ImportNote = {
  readonly kind: SourceKind | 'everyone'
  readonly id: number
  readonly name: string
  readonly what: 'refused' | 'changed'
  readonly why: string
}

/** What an import brought, or in a dry run would bring, and what not and why. */
type ImportReport = {
  readonly source: string
  readonly dry_run: boolean
  readonly kinds: Readonly<Record<ImportKind, Readonly<Count>>>
  readonly notes: readonly ImportNote[]
  /** How many notes there are beyond those. */
  readonly more_notes: number
  /** What nothing here stands for. */
  readonly left: readonly { readonly what: string; readonly count: number }[]
}

const mostNotes = 10_000

/** Counts while an import runs. */
class ReportBuilder {
  readonly #kinds: Record<ImportKind, Count>
  readonly #notes: ImportNote[] = []
  #more = 0

  constructor() {
    const none = () => ({ found: 0, brought: 0, before: 0, refused: 0 })
    this.#kinds = {
      user: none(),
      group: none(),
      'repository-group': none(),
      repository: none(),
      gist: none(),
      'pull-request': none(),
      comment: none(),
    }
  }

  count(kind: ImportKind, what: 'brought' | 'before' | 'refused'): void {
    this.#kinds[kind].found++
    this.#kinds[kind][what]++
  }

  note(note: ImportNote): void {
    if (this.#notes.length < mostNotes) this.#notes.push({ ...note, name: note.name.slice(0, 300) })
    else this.#more++
  }

  result(given: Pick<ImportReport, 'source' | 'dry_run' | 'left'>): ImportReport {
    return { ...given, kinds: this.#kinds, notes: this.#notes, more_notes: this.#more }
  }
}

export type { ImportKind, ImportNote, ImportReport }
export { importKinds, ReportBuilder }
