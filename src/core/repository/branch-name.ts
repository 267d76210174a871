import { fault } from '../kernel/fault.ts'

/** The full name of a branch, or `invalid_name` when git would not take it (git-check-ref-format). */
function branchRef(name: string): string {
  if (!isRefPath(name)) throw fault('invalid_name', { what: 'branch', name, why: 'git does not allow such a name' })
  return `refs/heads/${name}`
}

/** The short name of a branch's full one; the text itself when it is none. */
function branchName(ref: string): string {
  return ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : ref
}

/** Whether a text may stand behind `refs/heads/` or `refs/tags/`. */
function isRefPath(name: string): boolean {
  if (name === '' || name.length > 900 || !name.isWellFormed()) return false
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(name) || name.endsWith('.') || name.startsWith('-')) return false
  return name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
}

export { branchRef, branchName, isRefPath }
