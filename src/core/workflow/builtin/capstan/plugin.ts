import { createHash } from 'node:crypto'
import { fault } from '../../../kernel/fault.ts'
import { flagMember, memberOf, objectMember, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { onlyGiven } from '../input.ts'
import { asStarter } from '../operation.ts'
import { capstanSpec } from './spec.ts'
import { endedRun, runEnd } from './wait.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { BuiltinAction, BuiltinContext } from '../builtin.ts'

/** A step that waits for work lasts as long as the work. */
const waitMs = 24 * 3_600_000

/**
 * Everything else of the server. Tasks and pipelines are deployed under a key of the call, so that a call that is made again after a restart finds what the
 * first one started instead of starting it twice.
 */
const capstanPlugin = builtinPlugin('capstan', capstanSpec, {
  deploy_task: starting('task.deploy'),
  run_pipeline: starting('pipeline.run'),
  run_workflow: {
    repeatable: false,
    timeoutMs: waitMs,
    async run(context, input) {
      const asked = { workflow: textMember(input, 'workflow'), message: objectMember(input, 'message') }
      const started = runEnd(await asStarter(context, 'workflow.run', asked))
      context.log(`started ${started.run}`)
      return flagMember(input, 'wait') ? endedRun(context, started.run, flagMember(input, 'allow_failure')) : { ...started }
    },
  },
  wait_for_run: {
    repeatable: true,
    timeoutMs: waitMs,
    run: (context, input) => endedRun(context, textMember(input, 'run'), flagMember(input, 'allow_failure')),
  },
  ask_approval: {
    repeatable: true,
    // The graph asks (`job/approval.ts`). What comes here is one element of a repeated action.
    run: () => Promise.reject(new ActionFailed('An approval is asked for once: put the step into a loop to ask several times')),
  },
  run_operation: {
    repeatable: false,
    async run(context, input) {
      const operation = textMember(input, 'operation')
      const given = objectMember(input, 'input')
      refuseCredentials(context, operation, given)
      return { output: await asStarter(context, operation, given) }
    },
  },
})

function starting(operation: 'task.deploy' | 'pipeline.run'): BuiltinAction {
  return {
    repeatable: true,
    timeoutMs: waitMs,
    async run(context, input) {
      const asked = Object.fromEntries(
        ['repository', 'directory', 'branch', 'namespace', 'name', 'configuration', 'schedule'].map((name) => [name, memberOf(input, name)]),
      )
      const started = await asStarter(context, operation, { ...onlyGiven(asked), idempotency_key: callKey(context), route: 'workflow' })
      const id = textMember(started, 'id')
      const type = operation === 'task.deploy' ? { type: textMember(started, 'type') } : {}
      const common = { namespace: textMember(started, 'namespace'), ...type }
      context.log(`${started.replayed === true ? 'found' : 'started'} ${id}`)
      const runs = operation === 'pipeline.run' || type.type === 'job'
      if (flagMember(input, 'wait') && runs) return { ...(await endedRun(context, id, flagMember(input, 'allow_failure'))), ...common }
      const state = textMember(started, 'state')
      return { run: id, name: textMember(started, 'name'), state, succeeded: state === 'succeeded', ...common }
    },
  }
}

function callKey({ key }: BuiltinContext): string {
  return `workflow-${createHash('sha256').update(key).digest('hex')}`
}

const credentialNouns: ReadonlySet<string> = new Set(['session', 'api-key', 'signing-key'])
/** Outputs that hold what was made: the secret of a new webhook, or of a trigger. */
const credentialMembers = ['secret', 'token'] as const

/** What goes in and out of a step is kept with its job and shown to its readers: credentials must not. */
function refuseCredentials({ services }: BuiltinContext, name: string, given: JsonObject): void {
  // What is inside of a batch is not looked through; a workflow has a step for each.
  if (name === 'batch.run') throw fault('unsupported', { what: 'A batch in a workflow', why: 'each of its operations is a step of its own here' })
  const operation = services.registry.get(name)
  const taken = operation?.secretMembers?.some((member) => Object.hasOwn(given, member)) ?? false
  const output = operation?.output as { readonly properties?: object } | undefined // schemas of objects have their members there
  const made = credentialMembers.some((member) => Object.hasOwn(output?.properties ?? {}, member))
  if (!taken && !made && !credentialNouns.has(name.split('.')[0] ?? '')) return
  throw fault('unsupported', {
    what: `The operation ${name} in a workflow`,
    why: 'its input or output holds credentials, which would be kept with the job',
  })
}

export { capstanPlugin }
