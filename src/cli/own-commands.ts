import { loadConfig } from '../config/load.ts'
import { completionScript } from './completion.ts'
import { configHelp, configRows } from './config-help.ts'
import { defaultServer, serverOf } from './credentials.ts'
import { addDeployCommands } from './deploy-commands.ts'
import { printRunLog, watch } from './follow.ts'
import { addImportCommands } from './import.ts'
import { login, logout } from './login.ts'
import { takesServer } from './program.ts'
import { renderOutput } from './render.ts'
import { addReviewCommands } from './review-commands.ts'
import { whyNot } from './serve.ts'
import { addWorkflowCommands } from './workflow-commands.ts'
import { CommandFailure } from './exit.ts'
import { safeJson } from './terminal.ts'
import type { Command } from 'commander'
import type { LogOptions } from './follow.ts'
import type { CommonOptions, ProgramOptions } from './program.ts'
import type { Config } from '../config/load.ts'
import type { AppModule, Seams } from './seams.ts'

/** Adds the commands that are no operations: of the server itself, of signing in, and of following. */
function addOwnCommands(program: Command, options: ProgramOptions, seams: Seams): void {
  addServerCommands(program, options, seams)
  addImportCommands(program, options, seams)
  addClientCommands(program, options)
  addDeployCommands(program, options)
  addReviewCommands(program, options)
  addWorkflowCommands(program, options)
  addPluginCommands(program, options, seams)
  const { terminal } = options
  program
    .command('config')
    .description('Show the settings in effect and where each comes from.')
    .option('--json', 'print them as JSON')
    .addHelpText('after', () => `\n${configHelp()}`)
    .action(async ({ json }: { json?: boolean }) => {
      const rows = configRows(await loadConfig())
      terminal.out(
        json ? `${safeJson(rows)}\n` : renderOutput({ items: rows.map(({ key, value, source }) => ({ key, value: String(value ?? ''), source })) }),
      )
    })
  program
    .command('docs')
    .description('Write the generated documents: operations, errors and configuration.')
    .option('--into <folder>', 'where to', 'docs')
    .action(async ({ into }: { into: string }) => {
      const { writeDocuments } = await import('./docs/write.ts')
      for (const file of await writeDocuments(into, options.operations)) terminal.out(`${file}\n`)
    })
  program
    .command('completion')
    .description('Print a completion script for a shell.')
    .argument('<shell>', 'bash, zsh or fish')
    .action((kind: string) => terminal.out(completionScript(program, kind)))
}

function addServerCommands(program: Command, { terminal }: ProgramOptions, seams: Seams): void {
  // Only for `--help`: `serve` itself is taken before this program is built.
  program.command('serve').description('Run the server.').helpOption(false).allowUnknownOption()
  const withConfig = async (work: (app: AppModule, config: Config) => Promise<readonly string[]>) => {
    const config = await loadConfig()
    try {
      for (const line of await work(await seams.app(), config)) terminal.out(`${line}\n`)
    } catch (error) {
      throw new CommandFailure('failure', whyNot(error))
    }
  }
  program
    .command('backup')
    .description('Write a consistent copy of everything that this server holds, while it runs or not.')
    .argument('<file>', 'the file to write')
    .action((file: string) => withConfig((app, config) => app.backup(config, file)))
  program
    .command('restore')
    .description('Put a backup into an empty data folder.')
    .argument('<file>', 'the file that "capstan backup" wrote')
    .action((file: string) => withConfig((app, config) => app.restore(config, file)))
}

function addPluginCommands(program: Command, { terminal }: ProgramOptions, seams: Seams): void {
  const plugins = program.command('plugin').description('Install, see, try and remove plugins of workflows.')
  plugins
    .command('check')
    .description(
      'Try a package of a plugin as the server will use it: its spec, its entry point, each action, and http mode. Fails if anything does.',
    )
    .argument('<folder>', 'the folder of the package')
    .option('--json', 'print what was found as JSON')
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const findings = await (await seams.app()).checkPlugin(await loadConfig(), folder)
      const lines = findings.map(
        ({ what, outcome, why }) => `${outcome === 'failed' ? 'FAIL' : outcome.padEnd(4)}  ${what}${why === '' ? '' : `: ${why}`}\n`,
      )
      terminal.out(json ? `${safeJson(findings)}\n` : lines.join(''))
      const failed = findings.filter(({ outcome }) => outcome === 'failed').length
      if (failed > 0) throw new CommandFailure('failure', `${failed} of ${findings.length} did not hold. "FAIL" says which.`)
    })
}

function addClientCommands(program: Command, { terminal, environment }: ProgramOptions): void {
  program
    .command('login')
    .description('Sign in to a server; commands talk to it from then on.')
    .argument('[url]', 'its address', defaultServer)
    .option('--user <name>', 'name or e-mail address')
    .option('--token', 'use a session token or an API key instead of a name and password')
    .action((url: string, chosen: { user?: string; token?: boolean }) => login(terminal, environment, { url, ...chosen }))
  program
    .command('logout')
    .description('End the session of "capstan login" and forget its token.')
    .argument('[url]', 'the address of the server; the one that commands talk to when left out')
    .action((url: string | undefined) => logout(terminal, environment, url))
  const runs = program.command('run').description('See, follow, cancel and repeat runs.')
  takesServer(runs.command('log'))
    .description('Print the output of a run.')
    .argument('<run>', 'its id')
    .option('-f, --follow', 'go on until it has ended; a run that does not succeed then fails this command')
    .option('--step <name>', 'the step, where there are several')
    .option('--attempt <number>', 'the attempt; otherwise the last')
    .option('--offset <bytes>', 'where to start')
    .action(async (run: string, chosen: LogOptions & CommonOptions) => printRunLog(terminal, await serverOf(environment, chosen.server), run, chosen))
  takesServer(runs.command('follow'))
    .description('Print the output of a run until it has ended.')
    .argument('<run>', 'its id')
    .action(async (run: string, chosen: CommonOptions) => printRunLog(terminal, await serverOf(environment, chosen.server), run, { follow: true }))
  takesServer(runs.command('watch'))
    .description('Print changes of runs as they happen.')
    .option('--all', 'changes of everything')
    .action(async (chosen: CommonOptions & { all?: boolean }) => {
      await watch(terminal, await serverOf(environment, chosen.server), { kind: chosen.all ? null : 'run', json: chosen.json === true })
    })
}

export { addOwnCommands }
