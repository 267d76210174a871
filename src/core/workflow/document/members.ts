import { fault } from '../../kernel/fault.ts'
import { isObject } from '../../kernel/json.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

/** A text member; '' where there is none or it is something else. */
function textMember(from: JsonObject, name: string): string {
  const value = memberOf(from, name)
  return typeof value === 'string' ? value : ''
}

function flagMember(from: JsonObject, name: string): boolean {
  return memberOf(from, name) === true
}

/** An object member; an empty one where there is none. */
function objectMember(from: JsonObject, name: string): JsonObject {
  const value = memberOf(from, name)
  return isJsonObject(value) ? value : {}
}

/** A member that is a list of objects. What is something else is an error of the file, and said with its place. */
function objectsMember(from: JsonObject, name: string, where: string): JsonObject[] {
  const value = memberOf(from, name)
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(isJsonObject)) throw unreadable(`"${name}" of ${where} is not a list of objects`)
  return value
}

/** A member that is an object, or is not there. What is something else is an error of the file, and said with its place. */
function soundObject(from: JsonObject, name: string, where: string): JsonObject {
  const value = memberOf(from, name) ?? {}
  if (!isJsonObject(value)) throw unreadable(`"${name}" of ${where} is not an object`)
  return value
}

/** Whether a member is a list that holds anything. */
function hasItems(from: JsonObject, name: string): boolean {
  const list = memberOf(from, name)
  return Array.isArray(list) && list.length > 0
}

function textsMember(from: JsonObject, name: string): string[] {
  const value = memberOf(from, name)
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** A member of its own, whatever the object's prototype has. */
function memberOf(from: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(from, name) ? from[name] : undefined
}

function isJsonObject(value: Json | undefined): value is JsonObject {
  return isObject(value)
}

function unreadable(why: string) {
  return fault('malformed_request', { why })
}

/** The object with these members set. Members that are undefined, and those that have that value already, stay as they are. */
function withMembers(from: JsonObject, members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const changed = Object.entries(members).filter(
    ([name, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(memberOf(from, name)),
  )
  // Entries and not a spread with assignment: a member named like a prototype's stays data.
  return Object.fromEntries([...Object.entries(from), ...changed]) as JsonObject // undefined was left out above
}

/** The members that have another value than before: what a file says in its own way goes out as it came. */
function changedMembers(now: Readonly<Record<string, Json>>, before: Readonly<Record<string, Json>>): JsonObject {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(memberOf(before, name))))
}

/** The object without these members. */
function without(from: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)))
}

export {
  textMember,
  flagMember,
  objectMember,
  objectsMember,
  soundObject,
  hasItems,
  textsMember,
  memberOf,
  isJsonObject,
  unreadable,
  withMembers,
  changedMembers,
  without,
}
