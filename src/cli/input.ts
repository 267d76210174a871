import { readFile } from 'node:fs/promises'
import { isObject } from '../core/kernel/json.ts'
import { CommandFailure } from './exit.ts'
import { secretLine } from './login.ts'
import { parseFile, parseJson, readValue } from './parameters.ts'
import type { JsonObject } from '../core/kernel/json.ts'
import type { Parameter, Parameters } from './parameters.ts'
import type { Terminal } from './terminal.ts'

/** What stood on the command line, by member. */
type Given = Readonly<Record<string, unknown>>

/** The input of an operation: `--input` first, what was given on its own over it, and secrets asked for or read from standard input. */
async function readInput(terminal: Terminal, { positional, options }: Parameters, given: Given, whole: string | undefined): Promise<JsonObject> {
  const input: JsonObject = whole === undefined ? {} : await wholeInput(terminal, whole)
  const known = positional ? [positional, ...options] : options
  if (whole !== undefined && whole !== '-' && !whole.startsWith('@')) refuseSecrets(known, input)
  for (const parameter of known) {
    const value = given[parameter.member]
    if (parameter.secret) await addSecret(terminal, parameter, value, input)
    else if (value !== undefined) input[parameter.member] = await valueGiven(parameter, value)
  }
  const missing = known.filter(({ required, member }) => required && !Object.hasOwn(input, member))
  if (missing.length > 0) {
    const names = missing.map((parameter) => (parameter === positional ? `<${parameter.member.replaceAll('_', '-')}>` : parameter.flag))
    throw new CommandFailure('usage', `Missing: ${names.join(', ')}. Add it; "--help" shows an example.`)
  }
  return input
}

function refuseSecrets(known: readonly Parameter[], input: JsonObject): void {
  const shown = known.find(({ secret, member }) => secret && Object.hasOwn(input, member))
  if (!shown) return
  throw new CommandFailure(
    'usage',
    `--input holds "${shown.member}", and others can read command lines. Write "--input -" and pipe it in, or @file, or ${shown.flag} besides.`,
  )
}

async function addSecret(terminal: Terminal, parameter: Parameter, value: unknown, input: JsonObject): Promise<void> {
  const { member, flag, required, kind } = parameter
  const wanted = value !== undefined || (required && !Object.hasOwn(input, member))
  if (!wanted) return
  if (typeof value === 'string' && value !== '-') {
    throw new CommandFailure(
      'usage',
      `${flag} takes no value, because others can read command lines. Write ${flag} to be asked, or "${flag} -" to pipe it in.`,
    )
  }
  if (value === '-') input[member] = secretValue(parameter, (await terminal.readAll()).replace(/\r?\n$/, ''))
  else if (value === undefined && !terminal.interactive) throw new CommandFailure('usage', `Missing: ${flag}. Write "${flag} -" and pipe it in.`)
  else input[member] = secretValue(parameter, await secretLine(terminal, `${member.replaceAll('_', ' ')}${kind === 'json' ? ' (JSON)' : ''}: `))
}

// What is wrong with it is not said: that would show a part of it.
function secretValue({ kind, flag }: Parameter, text: string): JsonObject[string] {
  if (kind !== 'json') return text
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailure('usage', `What was given for ${flag} is not JSON.`)
  }
}

async function valueGiven(parameter: Parameter, value: unknown): Promise<JsonObject[string]> {
  if (typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map((item) => readValue(parameter, String(item)))
  const text = String(value)
  if (parameter.kind === 'json' && text.startsWith('@')) return parseFile(await fileText(text.slice(1)), text.slice(1))
  return readValue(parameter, text)
}

async function wholeInput(terminal: Terminal, source: string): Promise<JsonObject> {
  const file = source === '-' ? 'Standard input' : source.startsWith('@') ? source.slice(1) : null
  const text = source === '-' ? await terminal.readAll() : file === null ? source : await fileText(file)
  const value = file === null ? parseJson(text, '--input') : parseFile(text, file)
  if (!isObject(value)) throw new CommandFailure('usage', '--input must be a JSON object.')
  return value as JsonObject // it came out of JSON
}

async function fileText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure('usage', `${file} cannot be read (${error.code}).`)
  })
}

export type { Given }
export { readInput }
