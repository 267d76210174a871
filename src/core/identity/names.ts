import { fault } from '../kernel/fault.ts'
import { looksLikeId } from '../kernel/id.ts'
import { isCommonPassword } from './common-passwords.ts'

const longestName = 100
const longestEmail = 254
const shortestPassword = 8

/** The most bytes that a password may have: beyond it hashing would be work for a stranger. */
const longestPassword = 1024

const reserved = new Set(['default', 'everyone', 'system'])

// Control, direction and invisible characters, and every separator but the plain space: a name with one of them looks like another.
const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u
const allowed = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+ -]*$/u

/** Gives the name back if a user or a group may be called so, else `invalid_name`. */
function checkName(what: 'user name' | 'group name', name: string): string {
  const why = wrongWith(name)
  if (why) throw fault('invalid_name', { what, name, why })
  return name
}

function wrongWith(name: string): string | null {
  if (name === '') return 'it is empty'
  if (name.length > longestName) return `it is longer than ${longestName} characters`
  if (invisible.test(name.replaceAll(' ', ''))) return 'it holds characters that do not show'
  if (name.startsWith('-')) return 'it begins with "-"'
  if (/[/:]/.test(name)) return 'it holds "/" or ":"'
  if (!allowed.test(name)) return 'only letters, digits and . _ @ + - may stand in it, a letter or digit first'
  if (/ {2}| $/.test(name)) return 'it has more than one space in a row, or one at the end'
  if (name !== name.normalize('NFKC')) return 'it holds characters that look like others'
  if (reserved.has(name.toLowerCase())) return 'it is a word of this server'
  if (looksLikeId(name)) return 'it looks like an id'
  return null
}

/** An e-mail address as it is stored and compared: trimmed, lower case. What is none: `invalid_name`. */
function foldEmail(email: string): string {
  const folded = email.trim().normalize('NFC').toLowerCase()
  const [local = '', domain = '', ...rest] = folded.split('@')
  const fits = local !== '' && domain !== '' && rest.length === 0 && !/[,;<>()[\]\\"`]/.test(folded) && !invisible.test(folded)
  const why = folded.length > longestEmail ? `it is longer than ${longestEmail} characters` : 'it is not of the form name@host'
  if (!fits || folded.length > longestEmail || folded.startsWith('-')) throw fault('invalid_name', { what: 'e-mail address', name: email, why })
  return folded
}

/** The address of a user of this name: a name with an `@` is the user's address as well, and no other can stand beside it. */
function emailFor(name: string, email: string | null | undefined): string | null {
  const given = email === null || email === undefined || email === '' ? null : foldEmail(email)
  if (!name.includes('@')) return given
  const own = foldEmail(name)
  if (given !== null && given !== own) {
    throw fault('invalid_name', { what: 'e-mail address', name: given, why: 'the user name is an e-mail address already, and the two differ' })
  }
  return own
}

/** Refuses a password that is too short, too long, the user's own name or address, or among those that everybody tries first. */
function checkPassword(password: string, user: { readonly name: string; readonly email: string | null }): void {
  const why = weakness(password, user)
  // The password itself must not come back in a message or stand in a log.
  if (why) throw fault('invalid_name', { what: 'password', name: '***', why })
}

function weakness(password: string, user: { readonly name: string; readonly email: string | null }): string | null {
  if ([...password].length < shortestPassword) return `it is shorter than ${shortestPassword} characters`
  if (Buffer.byteLength(password) > longestPassword) return `it is longer than ${longestPassword} bytes`
  if (password.includes('\0')) return 'it holds a NUL character'
  const folded = password.toLowerCase()
  const own = [user.name, user.email, user.email?.split('@')[0]].map((text) => text?.toLowerCase())
  if (own.includes(folded)) return 'it is the name or address of the user'
  if (isCommonPassword(password)) return 'it is among the first that anybody would try'
  return null
}

export { longestPassword, checkName, foldEmail, emailFor, checkPassword }
