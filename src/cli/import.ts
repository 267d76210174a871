import { loadConfig } from '../config/load.ts'
import { CommandFailure } from './exit.ts'
import { whyNot } from './serve.ts'
import { oneLine, safeJson } from './terminal.ts'
import type { Command } from 'commander'
import type { ImportReport } from '../core/import/report.ts'
import type { ProgramOptions } from './program.ts'
import type { Seams } from './seams.ts'

type Chosen = {
  readonly database: string
  readonly repositories: string
  readonly dryRun?: boolean
  readonly sameUsers?: boolean
  readonly rename?: readonly string[]
  readonly json?: boolean
}

const renamed = ['user', 'group', 'repository-group', 'repository']

/** Adds `capstan import kallithea`. */
function addImportCommands(program: Command, { terminal }: ProgramOptions, seams: Seams): void {
  program
    .command('import')
    .description('Bring what another product holds into the data folder, while its server is stopped.')
    .command('kallithea')
    .description('Bring users, groups, permissions, repositories, gists and pull requests of a Kallithea 0.7.')
    .requiredOption('--database <file or URL>', 'the file of its SQLite database, or the address of its PostgreSQL database')
    .requiredOption('--repositories <folder>', 'the folder of its repositories')
    .option('--dry-run', 'look and tell what would be brought and what not; change nothing')
    .option('--same-users', 'users there who have the name of one here are the same person, who stays as here')
    .option('--rename <kind:old=new>', `call a ${renamed.join(', ')} something else here. Repeatable.`, (value: string, before: string[] = []) => [
      ...before,
      value,
    ])
    .option('--json', 'print the report as JSON')
    .action(async (chosen: Chosen) => {
      const names = namesOf(chosen.rename ?? [])
      const config = await loadConfig()
      const report = await terminal
        .interruptible(async (signal) => {
          const { importKallithea } = await seams.app()
          const { database, repositories, dryRun = false, sameUsers = false } = chosen
          const progress = (step: string) => terminal.err(`${dryRun ? 'Looking at' : 'Bringing'} ${step} …\n`)
          return importKallithea(config, { database, repositories, dryRun, sameUsers, names, signal, progress })
        })
        .catch((error: unknown) => {
          if (error instanceof Error && error.name === 'AbortError')
            throw new CommandFailure('interrupted', 'Stopped. What was brought stays; the same command goes on from there.')
          throw new CommandFailure('failure', `${whyNot(error)} What was brought stays; the same command goes on from there.`)
        })
      terminal.out(chosen.json ? `${safeJson(report)}\n` : textOf(report))
    })
}

function namesOf(rules: readonly string[]): Map<string, string> {
  return new Map(
    rules.map((rule) => {
      const [, kind = '', old = '', name = ''] = /^([a-z-]+):(.+)=([^=]+)$/.exec(rule) ?? []
      if (!renamed.includes(kind))
        throw new CommandFailure('usage', `--rename ${rule} is not of the form <kind>:<old>=<new>, with a kind of ${renamed.join(', ')}.`)
      return [`${kind}:${old}`, name]
    }),
  )
}

function textOf({ source, dry_run, kinds, notes, more_notes, left }: ImportReport): string {
  const lines = [dry_run ? `This is what an import of ${source} would bring. Nothing was changed.` : `Brought from ${source}:`]
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, index) => (index === 0 ? String(cell).padEnd(18) : String(cell).padStart(14))).join('')
  lines.push(row(['', 'there', dry_run ? 'would come' : 'brought', 'here before', 'not brought']))
  for (const [kind, { found, brought, before, refused }] of Object.entries(kinds)) lines.push(row([kind, found, brought, before, refused]))
  for (const [what, title] of [
    ['refused', 'Not brought:'],
    ['changed', 'Not as it was there:'],
  ] as const) {
    const some = notes.filter((note) => note.what === what)
    if (some.length > 0) lines.push('', title, ...some.map(({ kind, id, name, why }) => oneLine(`  ${kind} ${id} "${name}": ${why}`)))
  }
  if (more_notes > 0) lines.push('', `and ${more_notes} more of these`)
  if (left.length > 0) lines.push('', 'Left there:', ...left.map(({ what, count }) => `  ${count} ${what}`))
  return `${lines.join('\n')}\n`
}

export { addImportCommands }
