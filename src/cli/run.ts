import type { Command } from 'commander'
import type { Seams } from './seams.ts'

/** Runs a command line and gives the exit status. `serve` loads nothing of the other commands: a server must start fast and stay small. */
export async function run(argv: readonly string[], seams: Seams): Promise<number> {
  const [command, ...rest] = argv
  if (command === 'serve') {
    const { serve } = await import('./serve.ts')
    return serve(rest, seams.app)
  }
  return runCommand(argv, seams)
}

async function runCommand(argv: readonly string[], seams: Seams): Promise<number> {
  const [
    { CommanderError },
    { buildProgram },
    { addOwnCommands },
    { CommandFailure, exits },
    { processTerminal, oneLine, safeJson },
    { clientEnvironment },
  ] = await Promise.all([
    import('commander'),
    import('./program.ts'),
    import('./own-commands.ts'),
    import('./exit.ts'),
    import('./terminal.ts'),
    import('../config/client.ts'),
  ])
  const { ConfigError } = await import('../config/load.ts')
  const terminal = processTerminal
  const options = { operations: await seams.operations(), terminal, environment: clientEnvironment() }
  const program: Command = buildProgram(options, (root) => addOwnCommands(root, options, seams))
  if (argv.length === 0) {
    program.outputHelp()
    return exits.usage.status
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exits.ok.status
  } catch (error) {
    // Help and version leave by this way as well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok.status : exits.usage.status
    if (error instanceof CommandFailure) {
      terminal.err(`${error.message.split('\n').map(oneLine).join('\n')}\n`)
      if (argv.includes('--json') && error.body) terminal.out(`${safeJson(error.body)}\n`)
      return exits[error.exit].status
    }
    if (error instanceof ConfigError) {
      terminal.err(`${error.message}\n`)
      return exits.usage.status
    }
    terminal.err(`${oneLine(error instanceof Error ? error.message : String(error))}\n`)
    return exits.failure.status
  }
}
