import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { CommandFailure } from './exit.ts'
import { taskOf } from './find-task.ts'
import { endAs, interruptible, lookUntil } from './look.ts'
import { oneLine } from './terminal.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

const ends: ReadonlySet<unknown> = new Set(['succeeded', 'failed', 'cancelled', 'timed_out', 'lost', 'skipped'])

/**
 * Gives a deployed task when there is nothing left to wait for: a job has ended, every instance of a deployment or service runs, a cron job has its schedule.
 */
async function waitForTask(terminal: Terminal, server: Server, deployed: unknown): Promise<unknown> {
  const { id } = taskOf(deployed)
  return interruptible(terminal, 'Left; the task goes on.', (signal) =>
    lookUntil({
      server,
      signal,
      look: async () => {
        const output = await callOperation(server, 'task.get', { task: id }, { signal })
        return isSettled(output) ? output : null
      },
    }),
  )
}

function isSettled(output: unknown): boolean {
  const { type, state, replicas, ready_replicas } = isObject(output) ? output : {}
  if (type === 'cronjob' || ends.has(state) || state === 'degraded') return true
  return state === 'running' && (type === 'deployment' || type === 'service') && ready_replicas === replicas
}

/** Fails when what `waitForTask` gave is not what was hoped for. */
function endAsTask(output: unknown): void {
  if (isObject(output) && output.state === 'degraded') {
    const why = typeof output.reason === 'string' ? ` (${oneLine(output.reason)})` : ''
    throw new CommandFailure('endedBadly', `The ${output.type} is degraded${why}: not every instance runs. "capstan task logs" shows what they say.`)
  }
  endAs('The task', output)
}

export { waitForTask, endAsTask }
