import { Option } from 'commander'
import { serverOf } from './credentials.ts'
import { taskTypes } from './find-task.ts'
import { openService } from './open-service.ts'
import { takesServer } from './program.ts'
import { printTaskLogs } from './task-logs.ts'
import { watchPipeline } from './watch-pipeline.ts'
import type { Command } from 'commander'
import type { TaskType } from './find-task.ts'
import type { LogOptions } from './follow.ts'
import type { CommonOptions, ProgramOptions } from './program.ts'

type TaskLogChoice = CommonOptions & Omit<LogOptions, 'step'> & { readonly type?: TaskType }

/** Adds what is no operation of its own but what people do with tasks, pipelines and services. */
function addDeployCommands(program: Command, { terminal, environment }: ProgramOptions): void {
  const tasks = program.command('task').description('Deploy, see and delete jobs, cron jobs, deployments and services, and read what they say.')
  takesServer(tasks.command('logs'))
    .description('Print the output of a task: of a job, of the latest job of a cron job, or of every instance of a deployment or service.')
    .argument('<task>', 'its id, or <namespace>/<name>')
    .option('-f, --follow', 'go on until it has ended; a job that does not succeed then fails this command')
    .addOption(new Option('--type <type>', 'which one, where several share the name').choices([...taskTypes]))
    .option('--attempt <number>', 'the attempt; otherwise the last')
    .option('--offset <bytes>', 'where to start')
    .action(async (task: string, { server, follow, type, attempt, offset }: TaskLogChoice) => {
      const log = {
        ...(follow && { follow }),
        ...(type && { type }),
        ...(attempt !== undefined && { attempt }),
        ...(offset !== undefined && { offset }),
      }
      await printTaskLogs(terminal, await serverOf(environment, server), task, log)
    })
  const pipelines = program.command('pipeline').description('Run, watch, see and end pipelines.')
  takesServer(pipelines.command('watch'))
    .description('Show a pipeline until it has ended: a tree on a screen, otherwise one line for each change. Fails unless it succeeds.')
    .argument('<pipeline>', 'its id')
    .action(async (pipeline: string, { server, json }: CommonOptions) => {
      await watchPipeline(terminal, await serverOf(environment, server), pipeline, { json: json === true })
    })
  const services = program.command('service').description('Reach services.')
  takesServer(services.command('open'))
    .description('Print the address of a service at the gateway.')
    .argument('<service>', 'its id, or <namespace>/<name>')
    .option('--browser', 'open it in a browser, where there is one')
    .action(async (service: string, { server, json, browser }: CommonOptions & { browser?: boolean }) => {
      await openService(terminal, await serverOf(environment, server), service, { browser: browser === true, json: json === true })
    })
}

export { addDeployCommands }
