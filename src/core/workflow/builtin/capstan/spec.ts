const deployed = (what: string, definition: string) => `repository: {type: string, required: false, title: Repository, example: lab/weather}
      directory: {type: string, required: false, title: Directory, description: Where the definition is inside of it}
      branch: {type: string, required: false, title: Branch}
      namespace: {type: string, required: false, title: Namespace}
      name: {type: string, required: false, title: Name, description: The one in the definition when empty}
      configuration: {type: object, required: false, title: Configuration, description: "The ${definition} itself, in place of the file"}
      wait: {type: boolean, required: false, title: Wait, description: "Whether the step lasts until the ${what} has ended"}
      allow_failure: {type: boolean, required: false, title: Allow failure, description: "Whether a ${what} that fails is no failure of the step that waits"}`
const ended = `run: {type: string, title: Run, description: Its id}
      name: {type: string, title: Name}
      state: {type: string, title: State, description: "queued, starting, running, waiting, succeeded, failed, cancelled, timed_out or lost"}
      succeeded: {type: boolean, title: Succeeded}`

/** `plugin.spec.yaml` of the plugin. */
const capstanSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: capstan
title: Capstan
description: Drives everything else of this server as whoever started the job
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [deploy, pipeline, run]
actions:
  deploy_task:
    title: Deploy a task
    description: Deploys the task that a manifest.json describes
    input:
      ${deployed('task', 'manifest')}
      schedule: {type: string, required: false, title: Schedule, description: A cron expression; wins over the one in the manifest}
    output:
      ${ended}
      namespace: {type: string, title: Namespace}
      type: {type: string, title: Type, description: "job, cronjob, deployment or service; only a job ends"}
  run_pipeline:
    title: Run a pipeline
    description: Starts the pipeline that a pipeline.json describes
    input:
      ${deployed('pipeline', 'pipeline')}
    output:
      ${ended}
      namespace: {type: string, title: Namespace}
  run_workflow:
    title: Run a workflow
    description: Starts a job of the active version of another workflow
    input:
      workflow: {type: string, required: true, title: Workflow, description: Its id or name}
      message: {type: object, required: false, title: Message, description: The variables of its trigger}
      wait: {type: boolean, required: false, title: Wait, description: Whether the step lasts until the job has ended}
      allow_failure: {type: boolean, required: false, title: Allow failure, description: Whether a job that fails is no failure of the step that waits}
    output:
      ${ended}
  wait_for_run:
    title: Wait for a run
    description: "Lasts until a run of any kind has ended; goes on waiting after a restart of the server"
    input:
      run: {type: string, required: true, title: Run, description: "Id of a task, pipeline, job or other run"}
      allow_failure: {type: boolean, required: false, title: Allow failure, description: Whether a run that fails is no failure of the step}
    output:
      ${ended}
  ask_approval:
    title: Ask for approval
    description: "Waits until somebody approves or refuses, as a human decision with these two choices does; a refusal is no failure of the step"
    input:
      question: {type: string, required: true, title: Question, example: "Release {{[start].[version]}}?"}
      users: {type: "[]string", required: false, title: Users, description: "Who may answer, by number, id or name; they are written to. Whoever may run the workflow when empty"}
      timeout: {type: number, required: false, title: Timeout, description: "Seconds, no template; nobody's answer in time is a refusal. 0 waits for ever"}
    output:
      approved: {type: boolean, title: Approved}
      user_name: {type: string, title: User name, description: Who answered}
      timed_out: {type: boolean, title: Timed out}
  run_operation:
    title: Run an operation
    description: Runs any operation of the native API that neither takes nor gives credentials
    input:
      operation: {type: string, required: true, title: Operation, example: repository.create}
      input: {type: object, required: false, title: Input}
    output:
      output: {type: object, title: Output}
`

export { capstanSpec }
