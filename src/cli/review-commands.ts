import { callOperation } from './client.ts'
import { serverOf } from './credentials.ts'
import { takesServer } from './program.ts'
import { safeJson } from './terminal.ts'
import { renderOf } from './views.ts'
import type { Command } from 'commander'
import type { CommonOptions, ProgramOptions } from './program.ts'

const votes = { approve: 'approved', reject: 'rejected' } as const

/** Adds the short forms of votes on pull requests. */
function addReviewCommands(program: Command, { terminal, environment }: ProgramOptions): void {
  const pullRequests = program.command('pull-request').description('Ask for commits to be merged, look at them, vote on them and merge them.')
  for (const [verb, status] of Object.entries(votes)) {
    takesServer(pullRequests.command(verb))
      .description(`Vote on a pull request as it is now: ${status}. The same as "comment --status ${status}".`)
      .argument('<pull-request>', 'its number or id')
      .option('--text <text>', 'what to say about it')
      .action(async (pull_request: string, { server, json, text }: CommonOptions & { text?: string }) => {
        const input = { pull_request, status, ...(text === undefined ? {} : { text }) }
        const output = await callOperation(await serverOf(environment, server), 'pull-request.comment', input)
        terminal.out(json ? `${safeJson(output)}\n` : renderOf('pull-request.comment', output))
      })
  }
}

export { addReviewCommands }
