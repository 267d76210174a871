import { safeJson, oneLine } from './terminal.ts'
import { taskOf } from './find-task.ts'
import { renderOf } from './views.ts'
import { endAsTask, waitForTask } from './wait-task.ts'
import { watchJob } from './watch-job.ts'
import { watchPipeline } from './watch-pipeline.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

/** A switch that a command made from an operation has besides the operation's members: what is done with the output in place of printing it. */
type Addition = {
  readonly flag: string
  readonly description: string
  readonly run: (terminal: Terminal, server: Server, output: unknown, options: { json: boolean }) => Promise<void>
}

/** The additions by operation. */
const additions: Readonly<Record<string, Addition>> = {
  'task.deploy': {
    flag: '--wait',
    description: 'wait until a job has ended, or every instance of a deployment or service runs; fails unless it does',
    async run(terminal, server, output, { json }) {
      terminal.err(`Deployed as ${oneLine(taskOf(output).id)}.\n`)
      const end = await waitForTask(terminal, server, output)
      terminal.out(json ? `${safeJson(end)}\n` : renderOf('task.get', end))
      endAsTask(end)
    },
  },
  'pipeline.run': {
    flag: '--watch',
    description: 'show it until it has ended, like "capstan pipeline watch"; fails unless it succeeds',
    async run(terminal, server, output, { json }) {
      const { id } = taskOf(output)
      terminal.err(`Started as ${oneLine(id)}.\n`)
      await watchPipeline(terminal, server, id, { json })
    },
  },
  'workflow.run': watched('--watch'),
  'job.rerun': watched('--watch'),
}

function watched(flag: string): Addition {
  return {
    flag,
    description: 'show the job until it has ended, like "capstan job watch"; fails unless it succeeds',
    async run(terminal, server, output, { json }) {
      const { id } = taskOf(output)
      terminal.err(`Started as ${oneLine(id)}.\n`)
      await watchJob(terminal, server, id, { json })
    },
  }
}

function additionOf(operation: string): Addition | null {
  return Object.hasOwn(additions, operation) ? (additions[operation] ?? null) : null
}

export { additionOf }
