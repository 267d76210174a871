import { CommandFailure } from './exit.ts'
import { oneLine } from './terminal.ts'
import type { JsonObject } from '../core/kernel/json.ts'
import type { AnyOperation } from '../core/operation/operation.ts'

/** One member of an operation's input, as the command line takes it. */
type Parameter = {
  readonly member: string
  /** `--first-name` */
  readonly flag: string
  readonly kind: 'text' | 'integer' | 'number' | 'boolean' | 'json'
  /** Taken several times, once per item. */
  readonly many: boolean
  readonly nullable: boolean
  readonly required: boolean
  readonly secret: boolean
  readonly description: string
  readonly choices: readonly string[]
}

type Parameters = { readonly positional: Parameter | null; readonly options: readonly Parameter[] }

type Schema = {
  readonly type?: string
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

// Options of every command: a member of such a name is called --set-<name>.
const taken: ReadonlySet<string> = new Set(['help', 'json', 'server', 'input'])

/** The parameters of an operation. The thing that it is about (else the first text it needs) is the argument; the rest are options. */
function parametersOf(operation: AnyOperation): Parameters {
  const schema: Schema = operation.input // TypeBox's schemas are JSON Schema objects
  const secrets = new Set(operation.secretMembers)
  const all = Object.entries(schema.properties ?? {}).map(([member, node]) => {
    return parameterOf(member, node, { required: schema.required?.includes(member) ?? false, secret: secrets.has(member) })
  })
  const candidates = all.filter(({ required, secret, kind, many }) => required && !secret && kind === 'text' && !many)
  const subjects = Object.values(operation.subjects).map(({ member }) => member)
  const positional = candidates.find(({ member }) => subjects.includes(member)) ?? candidates[0] ?? null
  return { positional, options: all.filter((parameter) => parameter !== positional) }
}

function parameterOf(member: string, node: Schema, { required, secret }: { required: boolean; secret: boolean }): Parameter {
  const variants = node.anyOf?.filter(({ type }) => type !== 'null') ?? [node]
  const only = variants.length === 1 ? (variants[0] as Schema) : {} // its one element
  const many = only.type === 'array' && isScalar(only.items)
  const one = many ? (only.items ?? {}) : only
  const choices = (one.enum ?? []).filter((word) => typeof word === 'string')
  const name = member.replaceAll('_', '-')
  return {
    member,
    flag: `--${taken.has(name) ? `set-${name}` : name}`,
    kind: isScalar(one) ? scalarKinds[one.type] : 'json',
    many,
    nullable: node.anyOf?.some(({ type }) => type === 'null') ?? false,
    required,
    secret,
    description: node.description ?? only.description ?? '',
    choices,
  }
}

const scalarKinds = { string: 'text', integer: 'integer', number: 'number', boolean: 'boolean' } as const

function isScalar(node: Schema | undefined): node is Schema & { type: keyof typeof scalarKinds } {
  return node?.type !== undefined && Object.hasOwn(scalarKinds, node.type)
}

/** The value of a parameter that is not secret, from the text on the command line. */
function readValue(parameter: Parameter, text: string): JsonObject[string] {
  if (text === 'null' && parameter.nullable) return null
  switch (parameter.kind) {
    case 'text':
      if (parameter.choices.length > 0 && !parameter.choices.includes(text)) throw wrong(parameter, text, `one of ${parameter.choices.join(', ')}`)
      return text
    case 'integer':
      if (!/^-?\d{1,15}$/.test(text)) throw wrong(parameter, text, 'a whole number')
      return Number(text)
    case 'number':
      if (!/^-?\d{1,15}(\.\d{1,15})?$/.test(text)) throw wrong(parameter, text, 'a number')
      return Number(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw wrong(parameter, text, 'true or false')
      return text === 'true'
    case 'json':
      return parseJson(text, parameter.flag)
  }
}

/** JSON out of a file or standard input, which `what` names. */
function parseFile(text: string, what: string): JsonObject[string] {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CommandFailure('usage', `${what} is not JSON: ${oneLine(error instanceof Error ? error.message : '')}.`)
  }
}

/** JSON from the command line. */
function parseJson(text: string, what: string): JsonObject[string] {
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailure('usage', `${what} must be JSON. Quote it for the shell, or write @file.`)
  }
}

function wrong(parameter: Parameter, text: string, wanted: string): CommandFailure {
  return new CommandFailure('usage', `${parameter.flag} cannot be "${text}": wanted ${wanted}.`)
}

/** How a parameter is written in help: `--first-name <text>`. */
function placeholderOf({ kind, choices }: Parameter): string {
  return choices.length > 0 && choices.join('|').length <= 40 ? choices.join('|') : kind === 'integer' ? 'number' : kind
}

/** Noun and verb of an operation's name: `workflow.version.create` is `workflow version-create`. */
function wordsOf(name: string): { noun: string; verb: string } {
  const [noun = '', ...rest] = name.split('.')
  return { noun, verb: rest.join('-') }
}

export type { Parameter, Parameters }
export { parametersOf, readValue, parseFile, parseJson, placeholderOf, wordsOf }
