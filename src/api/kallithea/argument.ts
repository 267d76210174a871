import { isObject } from '../../core/kernel/json.ts'
import type { Json } from '../../core/kernel/json.ts'

/** What an argument of a method takes: turns the JSON of a caller into what the method works with, or throws `BadArgument`. */
type Decode<T> = (value: Json) => T

/** One argument of a method. `fallback` stands for an optional one that is left out or null (contract §2.2); required ones have none. */
type Argument<T> = {
  readonly optional: boolean
  readonly decode: Decode<T>
  readonly fallback: T | undefined
  /** A second name, which counts when the first is absent (contract §15 D5). */
  readonly alias?: string
}

type Signature = Readonly<Record<string, Argument<unknown>>>
type Arguments<S extends Signature> = { readonly [Name in keyof S]: S[Name] extends Argument<infer T> ? T : never }

/** A value that an argument cannot have. It becomes the method's own "failed to …" text. */
class BadArgument extends Error {
  override readonly name = 'BadArgument'
}

function required<T>(decode: Decode<T>, more: { alias?: string } = {}): Argument<T> {
  return { optional: false, decode, fallback: undefined, ...more }
}

/** An argument that may be left out or null, and is `fallback` then. */
function optional<T, F = T>(decode: Decode<T>, fallback: F): Argument<T | F> {
  return { optional: true, decode, fallback }
}

/** An argument that may be left out or null, which leaves what it is about as it is. */
function unchanged<T>(decode: Decode<T>): Argument<T | undefined> {
  return { optional: true, decode, fallback: undefined }
}

function text(value: Json): string {
  if (typeof value !== 'string') throw new BadArgument()
  return value
}

const trueWords = ['true', '1', 'yes', 'on']
const falseWords = ['false', '0', 'no', 'off']

/** A boolean, also as a word or number, as command line clients send it (contract §15 D5). */
function flag(value: Json): boolean {
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' || typeof value === 'number' ? String(value).toLowerCase() : ''
  if (trueWords.includes(word)) return true
  if (falseWords.includes(word)) return false
  throw new BadArgument()
}

/** A whole number, also as digits. */
function whole(value: Json): number {
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new BadArgument()
  return number
}

function object(value: Json): Readonly<Record<string, Json>> {
  if (!isObject(value)) throw new BadArgument()
  return value as Record<string, Json> // it came out of JSON
}

/** Any value as it is: identifiers, which are looked up, and what is only passed on. */
function asIs(value: Json): Json {
  return value
}

/**
 * The values of a method's arguments. Each is decoded when the method asks for it: what is checked first decides the error, and a bad value of an argument
 * that comes late must not hide an error that comes early.
 */
function decodeArguments<S extends Signature>(signature: S, given: Readonly<Record<string, Json>>): Arguments<S> {
  const values = {}
  for (const [name, argument] of Object.entries(signature)) {
    Object.defineProperty(values, name, { enumerable: true, get: () => decodeOne(argument, given[givenName(name, argument, given)]) })
  }
  return values as Arguments<S> // one getter for each member
}

function decodeOne(argument: Argument<unknown>, value: Json | undefined): unknown {
  if (argument.optional && (value === undefined || value === null)) return argument.fallback
  return argument.decode(value ?? null)
}

/** The name under which an argument was given: its own, or its second one. */
function givenName(name: string, argument: Argument<unknown>, given: Readonly<Record<string, unknown>>): string {
  return argument.alias !== undefined && !Object.hasOwn(given, name) && Object.hasOwn(given, argument.alias) ? argument.alias : name
}

/** What is wrong with the names of the arguments (contract §1.1 rows 13 and 14): the last missing one, else the unknown ones. */
function wrongNames(signature: Signature, given: Readonly<Record<string, unknown>>): string | null {
  const known = new Set<string>()
  for (const [name, argument] of Object.entries(signature).reverse()) {
    const used = givenName(name, argument, given)
    if (!argument.optional && !Object.hasOwn(given, used)) return `Missing non optional \`${name}\` arg in JSON DATA`
    known.add(used)
  }
  const unknown = Object.keys(given).filter((name) => !known.has(name))
  return unknown.length > 0 ? `Unknown ${unknown.map((name) => `\`${name}\``).join(', ')} arg in JSON DATA` : null
}

export type { Argument, Arguments, Signature }
export { BadArgument, required, optional, unchanged, text, flag, whole, object, asIs, decodeArguments, givenName, wrongNames }
