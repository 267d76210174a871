import { fault, isFault } from '../../core/kernel/fault.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { MethodCall } from './method.ts'

/**
 * What an identifier means (contract §2.1): a whole number or digits are the small number of a thing, `_<number>` in references of ours; every other text
 * is its exact name. Anything else names nothing.
 */
function identifierOf(given: Json): string | null {
  if (typeof given === 'string') return /^[0-9]+$/.test(given) ? `_${given.replace(/^0+(?=.)/, '')}` : given
  return Number.isSafeInteger(given) && Number(given) >= 0 ? `_${given}` : null
}

type Kind = 'repository' | 'repository-group' | 'group' | 'gist'

/** The reference of ours for an identifier. One that can name nothing is `not_found`, about the member `path`. */
function referenceOf(kind: Kind, given: Json): string {
  const identifier = identifierOf(given)
  if (identifier === null || identifier === '') throw absent(kind)
  return `${kind}:${kind === 'repository-group' ? identifier.replace(/(?<=[^/])\/$/, '') : identifier}`
}

/** What a read operation gives; where the thing is missing, hidden or out of reach, the call ends with this text. */
async function found<Output>(call: MethodCall, text: string, read: () => Promise<Output>): Promise<Output> {
  try {
    return await read()
  } catch (error) {
    if (isFault(error) && ['not_found', 'forbidden', 'unauthenticated'].includes(error.code)) call.refuse(text)
    throw error
  }
}

/** What a read operation gives, or null where the caller sees nothing: core finds what is hidden from them when they act. */
async function ifSeen<Output>(read: () => Promise<Output>): Promise<Output | null> {
  try {
    return await read()
  } catch (error) {
    if (isFault(error)) return null
    throw error
  }
}

/** A user by identifier, whoever asks. E-mail addresses name nobody here. */
async function locateUser(call: MethodCall, given: Json): Promise<LocatedUser> {
  const identifier = identifierOf(given)
  if (identifier === null) throw absent('user')
  return call.invoke<LocatedUser>('user.locate', { path: identifier })
}

type LocatedUser = { readonly id: string; readonly serial: number; readonly name: string; readonly kind: 'user' | 'service' | 'builtin' }

function absent(kind: string): Error {
  return fault('not_found', { kind, reference: '' }, { private: { absence: 'missing', kind, reference: '', member: 'path' } })
}

export type { LocatedUser }
export { referenceOf, found, ifSeen, locateUser }
