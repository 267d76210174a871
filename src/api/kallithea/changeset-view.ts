import { encodeAuthor, encodeMoment, encodeSecond } from './encode.ts'
import type { CommitCommentView } from '../../core/repository/commit-comment.ts'
import type { CommitView } from '../../core/repository/history.ts'

type Said = { readonly serial: number; readonly by: string; readonly at: string; readonly text: string }

/** A comment (contract §3.8). */
function encodeComment({ serial, by, at, text }: Said) {
  return { comment_id: serial, username: by, created_on: encodeSecond(at), text }
}

/** A vote (contract §3.8). */
function encodeStatus({ status, at, by }: { readonly status: string; readonly at: string; readonly by: string }) {
  return { status, modified_at: encodeSecond(at), reviewer: by }
}

function common({ id, number, message, committer }: CommitView) {
  return { short_id: id.slice(0, 12), raw_id: id, revision: number, message, date: encodeMoment(committer.at) }
}

/** A changeset in its short form, with its files when they were asked for (contract §3.3). */
function encodeChangeset(it: CommitView) {
  return { ...common(it), author: encodeAuthor(it.author.name, it.author.email), ...it.files }
}

/** One changeset whole (contract §10): its author is an object here. */
function encodeWholeChangeset(it: CommitView) {
  return { ...common(it), author: { name: it.author.name, email: it.author.email }, ...it.files }
}

/** Comments on lines: by file, and there by line, `n3` of the new side and `o3` of the old one. */
function encodeInlineComments(comments: readonly CommitCommentView[]) {
  const files = new Map<string, Record<string, ReturnType<typeof encodeComment>[]>>()
  for (const comment of comments) {
    if (comment.file === null || comment.line === null) continue
    const lines = files.get(comment.file) ?? {}
    const key = `${comment.side === 'old' ? 'o' : 'n'}${comment.line}`
    lines[key] = [...(lines[key] ?? []), encodeComment(comment)]
    files.set(comment.file, lines)
  }
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1))
}

export { encodeComment, encodeStatus, encodeChangeset, encodeWholeChangeset, encodeInlineComments }
