import type { JsonObject } from '../../core/kernel/json.ts'
import type { Page, PageRequest } from '../../core/kernel/page.ts'
import type { Viewer } from './tables.ts'

type PullRequestRow = {
  id: string
  /** Small number, which is its name as well. */
  serial: number
  /** The repository and the branch that it is to go into. */
  target_id: string
  target_branch: string
  /** The repository and the branch that it comes from: whoever may read the one may read the pull request. */
  source_id: string
  source_branch: string
  author_id: string
  author: string
  state: 'open' | 'closed' | 'merged'
  title: string
  description: string
  /** The commit at the end of the source branch, and the one it has in common with the target, as they were when this row was last written. */
  head: string
  base: string | null
  /** Ids of users. */
  reviewers: string[]
  /** How it was merged; null while it is not. */
  merge: JsonObject | null
  version: number
  created_at: number
  updated_at: number
  closed_at: number | null
}

/** A remark on something that is reviewed, or a vote, or both. */
type CommentRow = {
  id: string
  serial: number
  /** What it is on: a pull request's id, or `<repository id>/<commit>`. */
  subject_id: string
  author_id: string
  author: string
  at: number
  /** The vote; null: none. */
  status: string | null
  /** The commit that was voted on. */
  head: string | null
  text: string
  /** The place in a commit that it is about: a line of a file as it is after it (`new`) or before it (`old`). Null: the whole. */
  file: string | null
  line: number | null
  side: string | null
}

/** What makes an open pull request the only one of its kind. */
type PullRequestEnds = Pick<PullRequestRow, 'target_id' | 'target_branch' | 'source_id' | 'source_branch'>

type PullRequestFilter = {
  readonly targetId?: string
  readonly sourceId?: string
  readonly authorId?: string
  readonly state?: PullRequestRow['state']
}

type PullRequestTable = {
  /** Takes the next serial unless the row says one that is free. While one of the same ends is open: `DuplicateKey` with `pullRequests.source_branch`. */
  insert(row: Omit<PullRequestRow, 'serial' | 'version'> & { serial?: number }): Promise<PullRequestRow>
  byId(id: string): Promise<PullRequestRow | null>
  bySerial(serial: number): Promise<PullRequestRow | null>
  /** The open one of these ends. */
  open(ends: PullRequestEnds): Promise<PullRequestRow | null>
  /** Changes a pull request and counts its version up. */
  update(
    id: string,
    patch: Partial<Pick<PullRequestRow, 'state' | 'title' | 'description' | 'head' | 'base' | 'reviewers' | 'merge' | 'updated_at' | 'closed_at'>>,
  ): Promise<void>
  /**
   * A page, newest first, of what the viewer may read: those whose source the viewer may read, or, of merged ones whose source is gone, whose target.
   * Those into a repository that is gone are left out.
   */
  page(filter: PullRequestFilter, viewer: Viewer, page: PageRequest): Promise<Page<PullRequestRow>>
}

/** A comment that is made now. Without a place it is on the whole. */
type NewComment = Omit<CommentRow, 'serial' | 'file' | 'line' | 'side'> & Partial<Pick<CommentRow, 'file' | 'line' | 'side'>>

type CommentTable = {
  /** Takes the next serial. */
  insert(row: NewComment): Promise<CommentRow>
  /** In the order in which they were made. */
  page(subjectId: string, page: PageRequest): Promise<Page<CommentRow>>
  count(subjectId: string): Promise<number>
  /** The last vote of each author on each of these, in the order in which they were given. */
  votes(subjectIds: readonly string[]): Promise<CommentRow[]>
  /** Keeps for which commits of a repository the vote of a comment counts. */
  addVoted(commentId: string, repositoryId: string, commits: readonly string[]): Promise<void>
  /** The commits that these votes count for, in the order in which they were kept. */
  voted(commentIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>
  /** The last vote that counts for a commit, on it or on a pull request that brings it. */
  lastVote(repositoryId: string, commit: string): Promise<CommentRow | null>
}

type ReviewTables = { readonly pullRequests: PullRequestTable; readonly comments: CommentTable }

export type { PullRequestRow, CommentRow, PullRequestEnds, PullRequestFilter, PullRequestTable, NewComment, CommentTable, ReviewTables }
