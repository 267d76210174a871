import { fault } from '../../kernel/fault.ts'
import { Type, Closed } from '../../kernel/schema.ts'
import { defineOperation, subject } from '../../operation/operation.ts'
import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import { isApproval, isAsked } from './approval.ts'
import { choicesFor, namesOf } from './compile.ts'
import { executionNumber } from './execution-number.ts'
import { nodesOf } from './nodes.ts'
import { documentOf, rowsOf } from './of-job.ts'
import { prefixOf } from './round.ts'
import { Job, jobView } from './view.ts'

const decide = defineOperation({
  name: 'job.decide',
  summary: 'Chooses the path at a step that waits for a person.',
  description:
    'A step may wait several times at once, in rounds of a loop: `key` or `execution` says which of them is meant, otherwise it is the first that nobody has answered.',
  input: Closed({
    job: Type.String({ description: 'Id of the job.' }),
    step: Type.String({ description: 'Id of the step that waits.' }),
    path: Type.String({ description: 'Id of the path to take.' }),
    key: Type.Optional(Type.String({ maxLength: 2000, description: 'Where in the job it waits, as `waiting_for` and `job.list-steps` have it.' })),
    execution: Type.Optional(Type.Integer({ minimum: 0, description: 'Number of the execution that waits, as `job.list-steps` has it.' })),
  }),
  output: Job,
  access: 'signed-in',
  subjects: { job: { ...subject('run', 'execute', 'job') } },
  effect: 'act',
  audit: {
    subject: (input) => `run:${input.job}`,
    subjectId: (input) => input.job,
    detail: ({ step, path, key }) => ({ step, path, ...(key === undefined ? {} : { key }) }),
  },
  example: { job: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', step: 'ask', path: 'yes' },
  async run(ctx, input, { job }) {
    const { row } = job
    const next = 'It takes one answer, while it waits.'
    const not = (state: string) => fault('state_conflict', { what: `The step "${input.step}"`, state, next })
    const document = await documentOf(ctx, row)
    const step = document?.steps.find(({ id }) => id === input.step)
    if (!document || !step) throw not('not waiting for a decision')
    const node = nodesOf(document).nodeOf(step.id)
    const waiting = (await rowsOf(ctx, row, document)).filter((each) => each.node === node && each.kind === 'question' && each.state === 'waiting')
    const meant = waiting.filter(
      (each) => (input.key === undefined || each.key === input.key) && (input.execution === undefined || executionNumber(each) === input.execution),
    )
    if (meant.length === 0) throw not(waiting.length === 0 ? 'not waiting for a decision' : 'not waiting there')
    const choice = choicesFor(step, namesOf(document))
      .filter(isJsonObject)
      .find((each) => textMember(each, 'edge') === input.path)
    if (!choice) throw fault('malformed_request', { why: `the path "${input.path}" is no choice of this step` })
    if (memberOf(choice, 'timeout_only') === true) throw fault('malformed_request', { why: 'this path is taken only when nobody answers in time' })
    // An answer is stored before its run goes on with it.
    const [asking, second] = meant.filter(({ handle }) => handle === null)
    if (!asking) throw not('answered already')
    // Numbers follow from the time, and those of two rounds may be the same one.
    if (second && input.execution !== undefined)
      throw fault('malformed_request', { why: 'this number is that of two executions; name one by its "key"' })
    if (isApproval(step) && !(await isAsked(ctx.db, asking.input, ctx.principal.id)))
      throw fault('forbidden', { operation: 'job.decide', need: 'to be among those who are asked', subject: `step:${step.name}` })
    const answer = { edge: input.path, path: textMember(choice, 'path'), user_name: ctx.principal.name }
    const key = asking.key.slice(prefixOf(document, (await ctx.db.runs.byId(asking.run_id)) ?? row).length)
    await ctx.services.engine.answer(ctx, asking.run_id, key, answer)
    return jobView(ctx, (await ctx.db.runs.byId(row.id)) ?? row)
  },
})

export { decide }
