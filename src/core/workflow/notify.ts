import { Closed, Type } from '../kernel/schema.ts'
import { fault } from '../kernel/fault.ts'
import { isEnd } from '../kernel/run-state.ts'
import { system } from '../identity/principal.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { MailFailed } from '../../ports/mailer.ts'
import { isJsonObject, memberOf, objectMember, textMember } from './document/members.ts'
import { askedIn, isApproval, userAt } from './job/approval.ts'
import { nodesOf, partOf } from './job/nodes.ts'
import { documentOf, rowsOf } from './job/of-job.ts'
import { jobUrl } from './job/scope.ts'
import { shownOf } from './job/shown.ts'
import type { Json } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { WorkflowDocument, WorkflowStep } from './document/model.ts'
import type { Letter } from '../../ports/mailer.ts'
import type { RunRow } from '../../ports/store/rows.ts'

const mostUsers = 100
/** Characters of artifacts in a letter. */
const mostOfArtifact = 256 * 1024

const Reference = Type.Unsafe<number | string>({ type: ['integer', 'string'], maxLength: 300 })

const notify = defineOperation({
  name: 'workflow.notify',
  summary: 'Mails to people that a job waits for their decision; a job does so by itself.',
  description: 'Only those whom the step of the workflow names. Without a mail server nothing is sent, and the answer says so.',
  input: Closed({
    run: Type.String({ description: 'Id of the job.' }),
    step: Type.String({ maxLength: 1000, description: 'Name of the step that asks.' }),
    users: Type.Array(Reference, { maxItems: mostUsers, description: 'Numbers, ids or names of users.' }),
  }),
  output: Closed({
    sent: Type.Integer({ description: 'To how many people.' }),
    not_sent: Type.Array(Closed({ user: Type.String(), why: Type.String() })),
  }),
  access: 'signed-in',
  subjects: { run: subject('run', 'read', 'run') },
  effect: 'act',
  audit: {
    subject: (input) => `run:${input.run}`,
    subjectId: (input) => input.run,
    detail: (input, output) => ({ step: input.step, sent: output?.sent ?? 0 }),
  },
  example: { run: '4f8b1c1e-6f5d-4a43-9a53-0d3f6ef6a001', step: 'Approve', users: [2] },
  hidden: true,
  async run(ctx, input, { run }) {
    const { row } = run
    // By hand it would be a way to send anybody mail again and again.
    const { id, credential, credentialId } = ctx.principal
    const itself = id === system.id || (credential === 'run' && credentialId === row.id)
    if (!itself || isEnd(row.state))
      throw fault('unsupported', { what: 'Telling people of a decision by hand', why: 'the job that waits does it by itself' })
    const named = await namedBy(ctx, row, input.step)
    const wanted = [...new Set(input.users.map(String))]
    const stranger = wanted.find((user) => !named.has(user))
    if (stranger !== undefined)
      throw fault('invalid_input', { operation: 'workflow.notify', count: 1, first: `the step does not name the user "${stranger}"` })
    const told = await toldBy(ctx, row, input.step)
    const outcomes = await Promise.all(wanted.map(async (user) => ({ user, why: await tell(ctx, { run: row, step: input.step, told }, user) })))
    const notSent = outcomes.flatMap(({ user, why }) => (why === null ? [] : [{ user, why }]))
    return { sent: outcomes.length - notSent.length, not_sent: notSent }
  },
})

/** Whom a step of the job's workflow wants to be told. */
async function namedBy(ctx: Ctx, run: RunRow, name: string): Promise<Set<string>> {
  const { document, step } = await asking(ctx, run, name)
  if (!isApproval(step)) return new Set(notified(step, 'userIdsForEmail').map(String))
  return new Set((await inputsOf(ctx, run, document, step)).flatMap(askedIn))
}

type Asking = { readonly document: WorkflowDocument; readonly step: WorkflowStep }

/** The step of that name that asks somebody. */
async function asking(ctx: Ctx, run: RunRow, name: string): Promise<Asking> {
  const document = await documentOf(ctx, run)
  const step = document?.steps.find((one) => one.name === name && (one.type === 'human_decision' || isApproval(one)))
  if (!document || !step) throw fault('not_found', { kind: 'step', reference: name }, { private: { kind: 'step', absence: 'missing' } })
  return { document, step }
}

/** What of a kind a decision says of those who are told. */
function notified({ parameters }: WorkflowStep, member: 'userIdsForEmail' | 'artifactIds'): readonly Json[] {
  const list: Json = memberOf(objectMember(parameters, 'notifications'), member) ?? []
  return Array.isArray(list) ? list : []
}

/** The inputs of an approval as they were filled, of each round that it is in. */
async function inputsOf(ctx: Ctx, run: RunRow, document: WorkflowDocument, step: WorkflowStep): Promise<Json[]> {
  const node = partOf(nodesOf(document).nodeOf(step.id), 'input')
  return (await rowsOf(ctx, run, document)).flatMap((row) =>
    row.node === node && isJsonObject(row.output) ? (memberOf(row.output, 'input') ?? []) : [],
  )
}

/** What whoever answers is to read: the question of an approval, or the artifacts that a decision names. */
async function toldBy(ctx: Ctx, run: RunRow, name: string): Promise<string> {
  const { document, step } = await asking(ctx, run, name)
  if (!isApproval(step)) return artifactsFor(ctx, run, { document, step })
  const input = (await inputsOf(ctx, run, document, step)).at(-1)
  const question = isJsonObject(input) ? textMember(input, 'question') : ''
  return question === '' ? '' : `\n${(await shownOf(ctx)).text(question).slice(0, mostOfArtifact)}\n`
}

/** The artifacts that whoever decides is to read, as they stand now: named by their steps, secrets masked, bounded. */
async function artifactsFor(ctx: Ctx, run: RunRow, { document, step: decision }: Asking): Promise<string> {
  const ids = new Set(notified(decision, 'artifactIds').map(String))
  if (ids.size === 0) return ''
  const nodes = nodesOf(document)
  const latest = new Map<string, string>()
  for (const { node, output } of await rowsOf(ctx, run, document)) {
    const step = nodes.stepOf(node)?.step
    const artifact = isJsonObject(output) ? objectMember(output, 'artifact') : {}
    if (step?.type === 'artifact' && (ids.has(step.id) || ids.has(step.name))) latest.set(step.name, textMember(artifact, 'content'))
  }
  const shown = await shownOf(ctx)
  return [...latest]
    .map(([title, content]) => `\n${title}\n\n${shown.text(content).slice(0, mostOfArtifact)}\n`)
    .join('')
    .slice(0, mostOfArtifact)
}

type About = { readonly run: RunRow; readonly step: string; readonly told: string }

/** Why somebody was not told; null: they were. */
async function tell(ctx: Ctx, about: About, reference: string): Promise<string | null> {
  const user = await userAt(ctx.db, reference)
  if (!user?.active) return 'there is no such active user'
  if (!user.email) return 'the user has no e-mail address'
  try {
    const { refused } = await ctx.services.mailer.send(letterFor(ctx, about, user.email), { signal: ctx.signal })
    return refused.length === 0 ? null : 'the mail server refused the address'
  } catch (error) {
    if (error instanceof MailFailed) return error.message
    throw error
  }
}

function letterFor({ services }: Ctx, { run, step, told }: About, to: string): Letter {
  // Names come from the author of the workflow: on one line they stay words of a header.
  const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200)
  const [workflow, question] = [oneLine(run.name), oneLine(step)]
  const text = `The job of the workflow "${workflow}" waits for a decision: ${question}\n\nAnswer it here:\n${jobUrl(services, run.id)}\n${told}`
  const none = { cc: [], bcc: [], from: '', replyTo: '', html: '', attachments: [] }
  return { ...none, to: [to], subject: `Decision needed: ${question} (${workflow})`, text }
}

const notifyOperations: readonly AnyOperation[] = [notify]

export { notifyOperations }
