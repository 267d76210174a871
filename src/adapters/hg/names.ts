import { plainSpelling } from '../code/names.ts'

/** Whether a text is a full id of a changeset. */
function isNode(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text)
}

/** The kinds of refs that Mercurial has by itself; all others are names of ours (see own-refs.ts). */
const ownKinds = ['refs/heads/', 'refs/tags/', 'refs/bookmarks/', 'refs/changesets/']

/** Whether a text may be the full name of a ref. */
function isRefName(text: string): boolean {
  return /^refs\/[a-z-]+\/./.test(text) && text.length <= 1000 && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

function isMercurials(ref: string): boolean {
  return ownKinds.some((kind) => ref.startsWith(kind))
}

/** Whether a text is a path inside of a tree: no empty, `.` or `..` part, no NUL. */
function isPath(path: string): boolean {
  return path.length <= 4096 && !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/** Whether a file of this path may be committed for somebody: nothing that any client takes for its own control files. */
function isCommitPath(path: string): boolean {
  if (!isPath(path) || !path.isWellFormed() || /[\\\p{Cc}]/u.test(path)) return false
  return path.split('/').every((part) => {
    const plain = plainSpelling(part)
    return plain !== '' && Buffer.byteLength(part) <= 255 && !/^(\.hg|\.hgsub|\.hgsubstate|\.git|\.gitmodules|hg~\d|git~\d)$/.test(plain)
  })
}

export { isNode, isRefName, isMercurials, isPath, isCommitPath }
