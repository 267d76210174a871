import { isObject } from '../../core/kernel/json.ts'

/** A shape as the contract's table of methods writes it: a word for a value, a list of one shape, or members with shapes. */
export type Shape = string | readonly Shape[] | { readonly [member: string]: Shape }

const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?$/

const words: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  'any (echo of args)': () => true,
  int: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  true: (value) => value === true,
  string: (value) => typeof value === 'string',
  'string(40)': (value) => typeof value === 'string' && /^[0-9a-f]{40}$/.test(value),
  'string(12)': (value) => typeof value === 'string' && /^[0-9a-f]{12}$/.test(value),
  datetime: (value) => typeof value === 'string' && moment.test(value),
  'datetime(s)': (value) => typeof value === 'string' && moment.test(value) && !value.includes('.'),
}

const changeset: Shape = { short_id: 'string(12)', raw_id: 'string(40)', revision: 'int', message: 'string', date: 'datetime', author: 'string' }

/** The objects that the contract has a name for (§3). */
export function namedShapes(results: ReadonlyMap<string, Shape>): Readonly<Record<string, Shape>> {
  const without = (method: string, ...left: string[]): Shape => {
    const shape = results.get(method)
    if (!isObject(shape)) throw new Error(`${method} has no members`)
    return Object.fromEntries(Object.entries(shape).filter(([name]) => !left.includes(name))) as Shape
  }
  return {
    User: without('get_user', 'permissions'),
    UserGroup: without('get_user_group'),
    Repository: without('get_repo', 'members', 'followers', 'tags', 'branches', 'bookmarks', 'pull_requests'),
    RepoGroup: without('get_repo_group', 'members'),
    Gist: without('get_gist'),
    PullRequest: without('get_pullrequest'),
    Changeset: changeset,
    Comment: { comment_id: 'int', username: 'string', created_on: 'datetime(s)', text: 'string' },
    Status: { status: 'string', modified_at: 'datetime(s)', reviewer: 'string' },
    'Changeset (plus added[], changed[], removed[] with with_file_list)': changeset,
  }
}

/** Where a value is not of a shape. Members that the contract only has on demand (`… (with_…)`, `ex_<key>`) may be missing. */
export function shapeProblems(value: unknown, shape: Shape, named: Readonly<Record<string, Shape>>, at = 'result'): string[] {
  if (typeof shape === 'string') return wordProblems(value, shape, named, at)
  if (Array.isArray(shape)) return listProblems(value, shape as readonly Shape[], named, at)
  if (!isObject(value)) return [`${at} is no object`]
  const members = shape as { readonly [member: string]: Shape }
  const [any] = Object.entries(members).filter(([name]) => name.startsWith('<'))
  if (any) return Object.entries(value).flatMap(([name, member]) => shapeProblems(member, any[1], named, `${at}.${name}`))
  const problems = Object.keys(value)
    .filter((name) => !Object.hasOwn(members, name))
    .map((name) => `${at}.${name} is not in the contract`)
  for (const [name, member] of Object.entries(members)) {
    if (Object.hasOwn(value, name)) problems.push(...shapeProblems(value[name], member, named, `${at}.${name}`))
    else if (!onDemand(name, member)) problems.push(`${at}.${name} is missing`)
  }
  return problems
}

function onDemand(name: string, shape: Shape): boolean {
  return name.startsWith('ex_') || (typeof shape === 'string' && /\(with_\w+\)$/.test(shape))
}

function wordProblems(value: unknown, word: string, named: Readonly<Record<string, Shape>>, at: string): string[] {
  const plain = word
    .replace(/ \((?:with_|only )[^)]*\)$/, '')
    .replace(/^string (?:cidr|first|last|username|full path|name|version|type|rev|path)$/, 'string')
  if (Object.hasOwn(named, plain)) return shapeProblems(value, named[plain] ?? 'any', named, at)
  const list = /^\[(\w+)\]$/.exec(plain)?.[1]
  if (list) return listProblems(value, [list], named, at)
  if (plain === '[[path, {line: [Comment]}]]') return listProblems(value, [['string', { '<line>': ['Comment'] }]], named, at)
  if (plain === '{name: sha}') {
    return isObject(value) && Object.values(value).every((sha) => /^[0-9a-f]{40}$/.test(String(sha))) ? [] : [`${at} has no ids by name`]
  }
  const choices = plain.split('|').map((choice) => choice.replace(/^string username$/, 'string'))
  const fits = choices.some((choice) => {
    const literal = /^'(.*)'$/.exec(choice)?.[1]
    if (literal !== undefined) return value === literal
    const test = words[choice]
    if (!test) throw new Error(`The shape ${JSON.stringify(word)} at ${at} is not understood`)
    return test(value)
  })
  return fits ? [] : [`${at} is ${JSON.stringify(value)}, not ${word}`]
}

function listProblems(value: unknown, shapes: readonly Shape[], named: Readonly<Record<string, Shape>>, at: string): string[] {
  if (!Array.isArray(value)) return [`${at} is no list`]
  // Several shapes are those of the places of a list of fixed length.
  if (shapes.length > 1) {
    if (value.length !== shapes.length) return [`${at} has ${value.length} members, not ${shapes.length}`]
    return shapes.flatMap((shape, index) => shapeProblems(value[index], shape, named, `${at}[${index}]`))
  }
  return value.flatMap((item, index) => shapeProblems(item, shapes[0] ?? 'any', named, `${at}[${index}]`))
}
