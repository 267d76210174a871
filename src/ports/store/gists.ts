import type { Page, PageRequest } from '../../core/kernel/page.ts'
import type { ResourceRow } from './rows.ts'
import type { Viewer } from './tables.ts'

/** What a gist is besides a resource. The resource's name is its access id: the serial of a public one, unguessable letters of a private one. */
type GistRow = {
  /** Its resource's. */
  id: string
  description: string
  /** The number of the newest version. */
  revision: number
  /** From then on there is no such gist; null: it stays. */
  expires_at: number | null
}

type GistFile = { readonly name: string; readonly text: string }

/** One version of a gist: all of its files. It never changes. */
type GistRevisionRow = { gist_id: string; number: number; created_at: number; files: readonly GistFile[] }

type GistTable = {
  insert(row: GistRow): Promise<void>
  byId(id: string): Promise<GistRow | null>
  byIds(ids: readonly string[]): Promise<GistRow[]>
  update(id: string, patch: Partial<Omit<GistRow, 'id'>>): Promise<void>
  addRevision(row: GistRevisionRow): Promise<void>
  revision(gistId: string, number: number): Promise<GistRevisionRow | null>
  /** Forgets the versions up to a number. */
  removeRevisions(gistId: string, upTo: number): Promise<void>
  /** The resources of gists that have not expired by `now` and that the viewer may read without knowing their letters, newest first. */
  page(filter: { ownerId?: string; now: number }, viewer: Viewer, page: PageRequest): Promise<Page<ResourceRow>>
  /** Ids of gists that have expired by a moment, the longest expired first. */
  expired(by: number, limit: number): Promise<string[]>
  /** Removes a gist with its versions. Its resource is removed beside. */
  remove(id: string): Promise<void>
}

type GistTables = { readonly gists: GistTable }

export type { GistTables, GistTable, GistRow, GistFile, GistRevisionRow }
