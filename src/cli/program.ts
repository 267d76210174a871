import { Command, Option } from 'commander'
import { version } from '../core/kernel/version.ts'
import { additionOf } from './additions.ts'
import { callOperation } from './client.ts'
import { comfortOf, withComfort } from './comforts.ts'
import { serverOf } from './credentials.ts'
import { CommandFailure, exitLines } from './exit.ts'
import { readInput } from './input.ts'
import { parametersOf, placeholderOf, wordsOf } from './parameters.ts'
import { safeJson, shellWord } from './terminal.ts'
import { renderOf } from './views.ts'
import type { ClientEnvironment } from '../config/client.ts'
import type { AnyOperation } from '../core/operation/operation.ts'
import type { Server } from './client.ts'
import type { Parameter } from './parameters.ts'
import type { Terminal } from './terminal.ts'

type ProgramOptions = {
  readonly operations: readonly AnyOperation[]
  readonly terminal: Terminal
  readonly environment: ClientEnvironment
}

type CommonOptions = { readonly json?: boolean; readonly server?: string; readonly input?: string }

/** The whole command line: what `own` adds, and `<noun> <verb>` for every operation. */
function buildProgram(options: ProgramOptions, own: (program: Command) => void): Command {
  const program = new Command('capstan')
    .description('One engine for hosting code, delivering it, automating around it and governing all of it.')
    .version(version)
    .usage('<command> [options]')
    .exitOverride()
    .configureOutput({ writeOut: (text) => options.terminal.out(text), writeErr: (text) => options.terminal.err(text) })
    .configureHelp({ sortSubcommands: true })
    .addHelpText(
      'after',
      `\nExit statuses:\n${exitLines()
        .map((line) => `  ${line}\n`)
        .join('')}`,
    )
  own(program)
  const nouns = new Map(program.commands.map((command) => [command.name(), command]))
  for (const operation of options.operations) {
    if (operation.hidden) continue
    const { noun, verb } = wordsOf(operation.name)
    const group = nouns.get(noun) ?? program.command(noun).description(descriptionOf(noun, options.operations))
    nouns.set(noun, group)
    // A command of our own under that name (`run log`) does more than the operation.
    if (!group.commands.some((command) => command.name() === verb)) addOperation(group, verb, operation, options)
  }
  return program
}

/** Adds the options that every command that talks to a server takes. */
function takesServer(command: Command): Command {
  return command.option('--server <url>', 'the server to talk to').option('--json', 'print the answer as JSON')
}

function descriptionOf(noun: string, operations: readonly AnyOperation[]): string {
  const verbs = operations.filter(({ name, hidden }) => !hidden && wordsOf(name).noun === noun).map(({ name }) => wordsOf(name).verb)
  return verbs.length > 6 ? `${verbs.slice(0, 6).join(', ')}, …` : verbs.join(', ')
}

function addOperation(group: Command, verb: string, operation: AnyOperation, { terminal, environment }: ProgramOptions): void {
  const comfort = comfortOf(operation.name)
  const parameters = comfort ? withComfort(parametersOf(operation), comfort) : parametersOf(operation)
  const command = takesServer(group.command(verb).summary(operation.summary).description(describe(operation)))
  command.option('--input <json>', 'the whole input as JSON, @file, or - for standard input')
  const { positional } = parameters
  if (positional) command.argument(`[${positional.member.replaceAll('_', '-')}]`, positional.description)
  else if (comfort?.argument) command.argument(`[${comfort.argument.name}]`, comfort.argument.description)
  const members = new Map<string, string>()
  for (const parameter of parameters.options) {
    for (const option of optionsOf(parameter)) {
      members.set(option.attributeName(), parameter.member)
      command.addOption(option)
    }
  }
  const addition = additionOf(operation.name)
  if (addition) command.option(addition.flag, addition.description)
  command.addHelpText('after', `\nExample:\n  ${exampleOf(operation)}`)
  command.action(async (...args: unknown[]) => {
    const argument = (positional || comfort?.argument) && typeof args[0] === 'string' ? args[0] : undefined
    const chosen: Readonly<Record<string, unknown>> & CommonOptions = command.opts()
    const given: Record<string, unknown> = positional && argument !== undefined ? { [positional.member]: argument } : {}
    for (const [attribute, member] of members) if (chosen[attribute] !== undefined) given[member] = chosen[attribute]
    const read = await readInput(terminal, parameters, given, chosen.input)
    const server: Server = await serverOf(environment, chosen.server)
    const input = comfort?.complete ? await comfort.complete({ terminal, server, input: read, argument }) : read
    const output = await callOperation(server, operation.name, input, { lasts: operation.deadlineMs })
    if (addition && chosen[addition.flag.slice(2)] === true) await addition.run(terminal, server, output, { json: chosen.json === true })
    else terminal.out(chosen.json ? `${safeJson(output)}\n` : renderOf(operation.name, output))
    const failed = comfort?.failed?.(output) ?? null
    if (failed !== null) throw new CommandFailure('failure', failed)
  })
}

function describe({ summary, description, access }: AnyOperation): string {
  const who =
    access === 'administrator' ? '\nFor administrators.' : typeof access === 'object' ? `\nNeeds the system permission ${access.system}.` : ''
  return `${summary}${description ? `\n${description}` : ''}${who}`
}

function optionsOf(parameter: Parameter): Option[] {
  const { flag, description, kind, many, secret, required } = parameter
  const hidden = parameter.choices.length > 0 && !placeholderOf(parameter).includes(parameter.choices[0] ?? '')
  const text = [description, hidden ? `One of ${parameter.choices.join(', ')}.` : '', required ? '(required)' : ''].filter(Boolean).join(' ')
  if (secret) return [new Option(`${flag} [-]`, `${text} Asked for; "-" reads standard input.`.trim())]
  if (kind === 'boolean' && !many) return [new Option(flag, text), new Option(`--no-${flag.slice(2)}`, `not ${flag.slice(2)}`).hideHelp()]
  const option = new Option(`${flag} <${placeholderOf(parameter)}>`, many ? `${text} Repeatable.`.trim() : text)
  return [many ? option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]) : option]
}

/** The example of an operation as a command line. */
function exampleOf(operation: AnyOperation): string {
  const { noun, verb } = wordsOf(operation.name)
  const { positional, options } = parametersOf(operation)
  const words = ['capstan', noun, verb]
  const first = positional ? operation.example[positional.member] : undefined
  if (first !== undefined) words.push(shellWord(String(first)))
  for (const { member, flag, secret, kind, many } of options) {
    const value = operation.example[member]
    if (value === undefined) continue
    if (secret) words.push(flag)
    else if (kind === 'boolean' && !many) words.push(value === false ? `--no-${flag.slice(2)}` : flag)
    else if (many && Array.isArray(value)) for (const item of value) words.push(flag, shellWord(String(item)))
    else words.push(flag, shellWord(typeof value === 'object' ? JSON.stringify(value) : String(value)))
  }
  return words.join(' ')
}

export type { ProgramOptions, CommonOptions }
export { buildProgram, takesServer, exampleOf }
