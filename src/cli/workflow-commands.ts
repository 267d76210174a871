import { readFile, stat, writeFile } from 'node:fs/promises'
import { Option } from 'commander'
import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { serverOf } from './credentials.ts'
import { CommandFailure } from './exit.ts'
import { parseFile } from './parameters.ts'
import { takesServer } from './program.ts'
import { oneLine, safeJson } from './terminal.ts'
import { printJob, watchJob } from './watch-job.ts'
import type { Command } from 'commander'
import type { JsonObject } from '../core/kernel/json.ts'
import type { CommonOptions, ProgramOptions } from './program.ts'
import type { Terminal } from './terminal.ts'

/** Adds what people do with workflows and jobs that is more than one operation: files, and watching. */
function addWorkflowCommands(program: Command, options: ProgramOptions): void {
  addFileCommands(program.command('workflow').description('Import, activate, run, watch and export workflows.'), options)
  const { terminal, environment } = options
  const jobs = program.command('job').description('See, watch, decide, repeat and cancel jobs of workflows.')
  takesServer(jobs.command('show'))
    .description('Print a job and its steps, and what a person is asked.')
    .argument('<job>', 'its id')
    .action(async (job: string, { server: url, json }: CommonOptions) => {
      const server = await serverOf(environment, url)
      if (json) terminal.out(`${safeJson(await callOperation(server, 'job.get', { job }))}\n`)
      else await printJob(terminal, server, job)
    })
  takesServer(jobs.command('watch'))
    .description('Show a job until it has ended: one line for each step that begins, waits or ends. Fails unless it succeeds.')
    .argument('<job>', 'its id')
    .action(async (job: string, { server, json }: CommonOptions) => {
      await watchJob(terminal, await serverOf(environment, server), job, { json: json === true })
    })
}

function addFileCommands(workflows: Command, { terminal, environment }: ProgramOptions): void {
  takesServer(workflows.command('import'))
    .description('Make a draft of every workflow in an export file (.kom or .icon), and say what is missing to activate them.')
    .argument('<file>', 'the file, or - for standard input')
    .action(async (file: string, { server, json }: CommonOptions) => {
      const output = await callOperation(await serverOf(environment, server), 'workflow.import', { file: await fileOf(terminal, file) })
      if (json) return terminal.out(`${safeJson(output)}\n`)
      const { items, warnings } = listsOf(output)
      for (const { name, id } of items) terminal.out(`${plain(name)}  ${plain(id)}\n`)
      for (const warning of warnings) terminal.err(`${plain(warning)}\n`)
    })
  takesServer(workflows.command('export'))
    .description('Write a workflow as an export file, without secrets.')
    .argument('<workflow>', 'its id or name')
    .addOption(new Option('--format <format>', 'the format that it came in when left out').choices(['kom', 'icon']))
    .option('--out <file>', 'where to; standard output when left out')
    .action(async (workflow: string, chosen: CommonOptions & { format?: string; out?: string }) => {
      const input = { workflow, ...(chosen.format === undefined ? {} : { format: chosen.format }) }
      const output = await callOperation(await serverOf(environment, chosen.server), 'workflow.export', input)
      const { file = null, warnings } = { ...(isObject(output) ? output : {}), ...listsOf(output) }
      const text = `${JSON.stringify(file, null, 2)}\n`
      if (chosen.out === undefined) terminal.out(`${safeJson(file)}\n`)
      else await writeFile(chosen.out, text).catch((error: NodeJS.ErrnoException) => Promise.reject(unusable(chosen.out, 'written', error)))
      for (const warning of warnings) terminal.err(`${plain(warning)}\n`)
      if (chosen.out !== undefined) terminal.err(`Written to ${plain(chosen.out)}.\n`)
    })
  takesServer(workflows.command('validate'))
    .description('Print everything that stands against activating a workflow, or the workflows of a .kom or .icon file. Fails if anything does.')
    .argument('<workflow>', 'its id or name, @file, or - for a file on standard input')
    .action(async (workflow: string, { server: url, json }: CommonOptions) => {
      const server = await serverOf(environment, url)
      const file = workflow === '-' ? '-' : workflow.startsWith('@') ? workflow.slice(1) : null
      const input = file === null ? { workflow } : checkable(await fileOf(terminal, file))
      const output = await callOperation(server, 'workflow.validate', input).catch((error) => meantFile(workflow, error))
      if (json) terminal.out(`${safeJson(output)}\n`)
      const findings = findingsOf(output)
      const many = new Set(findings.map((finding) => finding.workflow)).size > 1
      for (const { workflow: of, step, input: where, message } of json ? [] : findings) {
        const place = [many ? of : '', step, where].filter((part) => typeof part === 'string' && part !== '').map(plain)
        terminal.out(`${[...place, plain(message)].join(': ')}\n`)
      }
      if (findings.length > 0) throw new CommandFailure('failure', `${findings.length} finding(s) stand against activating it.`)
      if (!json) terminal.out('Nothing stands against activating it.\n')
    })
  takesServer(workflows.command('watch'))
    .description('Show the latest job of a workflow until it has ended. Fails unless it succeeds.')
    .argument('<workflow>', 'its id or name')
    .action(async (workflow: string, { server: url, json }: CommonOptions) => {
      const server = await serverOf(environment, url)
      const found = await callOperation(server, 'workflow.get', { workflow })
      const { items } = listsOf(await callOperation(server, 'job.list', { workflow: isObject(found) ? found.id : '', limit: 1 }))
      const [job] = items
      if (!job) throw new CommandFailure('notFound', 'This workflow has no job yet. "capstan workflow run" starts one.')
      await watchJob(terminal, server, String(job.id), { json: json === true })
    })
}

async function fileOf(terminal: Terminal, file: string): Promise<JsonObject> {
  const text =
    file === '-'
      ? await terminal.readAll()
      : await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => Promise.reject(unusable(file, 'read', error)))
  const value = parseFile(text, file === '-' ? 'Standard input' : file)
  if (!isObject(value)) throw new CommandFailure('usage', `${file} is not a JSON object.`)
  return value as JsonObject // it came out of JSON
}

/** What is to be checked: an export file, or the document of one workflow. */
function checkable(file: JsonObject): JsonObject {
  return isObject(file.kom) || Array.isArray(file.workflows) ? { file } : { document: file }
}

// Other commands take a file as it is: what is no workflow and is a file was meant as one.
async function meantFile(workflow: string, error: unknown): Promise<never> {
  const known = error instanceof CommandFailure && error.exit === 'notFound' && (await stat(workflow).catch(() => null))?.isFile()
  throw known ? new CommandFailure('notFound', `${error.message} There is a file of that name: write "@${plain(workflow)}" to check it.`) : error
}

const plain = (value: unknown) => oneLine(String(value))

function listsOf(output: unknown): { items: Record<string, unknown>[]; warnings: unknown[] } {
  const { items, warnings } = isObject(output) ? output : {}
  return { items: Array.isArray(items) ? items.filter(isObject) : [], warnings: Array.isArray(warnings) ? warnings : [] }
}

function findingsOf(output: unknown): Record<string, unknown>[] {
  return isObject(output) && Array.isArray(output.findings) ? output.findings.filter(isObject) : []
}

function unusable(file: string | undefined, how: string, error: NodeJS.ErrnoException) {
  return new CommandFailure('usage', `${file} cannot be ${how} (${error.code}).`)
}

export { addWorkflowCommands }
