import { plainSpelling } from '../code/names.ts'

const oidPattern = /^[0-9a-f]{40}$/

/** The object id that stands for "none" on the wire. */
const noObject = '0'.repeat(40)

/** Whether a text is a full object id in the one spelling that git prints. */
function isOid(text: string): boolean {
  return oidPattern.test(text)
}

/**
 * Whether a text is a full ref name by git's own rules (git-check-ref-format), below `refs/` with two more parts at least. What passes holds no `..`,
 * no `:`, `^`, `~`, `@{`, blank or control character, so it is a safe path and never a revision expression.
 */
function isRefName(text: string): boolean {
  if (!text.startsWith('refs/') || text.length > 1000 || !text.isWellFormed()) return false
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(text) || text.endsWith('.')) return false
  const parts = text.split('/')
  return parts.length >= 3 && parts.every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock') && Buffer.byteLength(part) <= 250)
}

/** The parts of a path inside a tree, or null when it is not one: no empty, `.` or `..` part, no NUL. '' has no parts. */
function pathParts(path: string): string[] | null {
  if (path === '') return []
  if (path.length > 4096 || path.includes('\0')) return null
  const parts = path.split('/')
  return parts.every((part) => part !== '' && part !== '.' && part !== '..') ? parts : null
}

/**
 * Whether a name of a tree entry may be written below a folder. Refused are names that lead elsewhere, and every spelling of `.git` that some file
 * system takes for it: other case, trailing dots and blanks, short names, streams, invisible characters.
 */
function isSafeEntryName(name: Buffer): boolean {
  if (name.length === 0 || name.length > 255 || name.includes(0) || name.includes(0x2f)) return false
  return name
    .toString('utf8')
    .split('\\')
    .every((part) => {
      const plain = plainSpelling(part)
      return part !== '.' && part !== '..' && plain !== '.git' && plain !== 'git~1' && !(plain === '' && /^[. ]+$/.test(part))
    })
}

export { noObject, isOid, isRefName, pathParts, isSafeEntryName }
