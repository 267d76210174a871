import type { Command } from 'commander'
import type { ClientEnvironment } from '../config/client.ts'
import type { Seams } from './seams.ts'
import type { Terminal } from './terminal.ts'

/** What lies around a command: tests hand in their own. */
export type Outside = { readonly terminal: Terminal; readonly environment: ClientEnvironment }

/** Runs a command line and gives the exit status. `serve` loads nothing of the other commands: a server must start fast and stay small. */
export async function run(argv: readonly string[], seams: Seams, outside?: Outside): Promise<number> {
  const [command, ...rest] = argv
  if (command === 'serve') {
    const { serve } = await import('./serve.ts')
    return serve(rest, seams.app)
  }
  return runCommand(argv, seams, outside ?? (await processOutside()))
}

async function processOutside(): Promise<Outside> {
  const [{ processTerminal, endWithReader }, { clientEnvironment }] = await Promise.all([import('./terminal.ts'), import('../config/client.ts')])
  endWithReader()
  return { terminal: processTerminal, environment: clientEnvironment() }
}

async function runCommand(argv: readonly string[], seams: Seams, { terminal, environment }: Outside): Promise<number> {
  const [{ buildProgram }, { addOwnCommands }, { exits }] = await Promise.all([
    import('./program.ts'),
    import('./own-commands.ts'),
    import('./exit.ts'),
  ])
  const options = { operations: await seams.operations(), terminal, environment }
  const program: Command = buildProgram(options, (root) => addOwnCommands(root, options, seams))
  if (argv.length === 0) {
    program.outputHelp()
    return exits.usage.status
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exits.ok.status
  } catch (error) {
    return tell(terminal, error, { json: argv.includes('--json') })
  }
}

async function tell(terminal: Terminal, error: unknown, { json }: { json: boolean }): Promise<number> {
  const [{ CommanderError }, { CommandFailure, exits }, { oneLine, safeJson }, { ConfigError }] = await Promise.all([
    import('commander'),
    import('./exit.ts'),
    import('./terminal.ts'),
    import('../config/load.ts'),
  ])
  // Help and version leave by this way as well; what is wrong was said already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok.status : exits.usage.status
  const message = error instanceof Error ? error.message : String(error)
  terminal.err(`${message.split('\n').map(oneLine).join('\n')}\n`)
  if (error instanceof ConfigError) return exits.usage.status
  if (!(error instanceof CommandFailure)) return exits.failure.status
  if (json && error.body) terminal.out(`${safeJson(error.body)}\n`)
  return exits[error.exit].status
}
