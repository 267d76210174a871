import { fault, isFault } from '../kernel/fault.ts'
import { Turns } from '../kernel/turns.ts'
import { Closed, Nullable, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { specAfter } from './after-push.ts'
import { branchName, branchRef } from './branch-name.ts'
import { storageOf } from './code.ts'
import { RepositoryMember } from './inputs.ts'
import { onStorage } from './on-storage.ts'
import { refuseProtected } from './protection.ts'
import { refuseReplaced } from './replaced.ts'
import { pushDetail, pushEvent, recordPush, settlePush } from './push-record.ts'
import { causeOfCall } from '../workflow/trigger/queue.ts'
import type { Ctx } from '../operation/context.ts'
import type { CodeFile, CodeSignature, RefUpdate } from '../../ports/code-storage.ts'
import type { PushRow, ResourceRow } from '../../ports/store/rows.ts'

const mostFiles = 1000

const File = Closed({
  path: Type.String({ minLength: 1, maxLength: 4096, description: 'Folders and name, `hello/manifest.json`.' }),
  text: Type.Optional(Type.String({ description: 'The content as text.' })),
  base64: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'The content as bytes.' })),
  executable: Type.Optional(Type.Boolean()),
})

const commitFilesToRepository = defineOperation({
  name: 'repository.commit-files',
  summary: 'Makes a commit on a branch from whole files, without a client of git or Mercurial.',
  description:
    'What is not named stays as it is; a file without content is deleted. It is recorded as the push that it stands for. Without `parent` it goes on top of what is there; with it the branch must not have moved since.',
  input: Closed({
    repository: RepositoryMember,
    branch: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'The default branch when left out. One that does not exist is made.' }),
    ),
    parent: Type.Optional(
      Nullable(Type.String({ pattern: '^[0-9a-f]{40}$', description: 'The commit that the branch must be at; null: it must not exist.' })),
    ),
    message: Type.String({ minLength: 1, maxLength: 100_000 }),
    files: Type.Array(File, { minItems: 1, maxItems: mostFiles }),
  }),
  output: Closed({ id: Type.String(), path: Type.String(), branch: Type.String(), commit: Type.String(), parent: Nullable(Type.String()) }),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'write', 'repository') },
  effect: 'act',
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.repository}`,
    detail: (_, output) => (output ? pushDetail([{ ref: branchRef(output.branch), from: output.parent, to: output.commit }]) : {}),
  },
  example: { repository: 'lab/weather', message: 'Say hello', files: [{ path: 'hello/code/hello.sh', text: 'echo hello\n' }] },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const files = input.files.map(fileOf)
    const branch = input.branch === undefined ? await onStorage(ctx, row, () => storageOf(ctx.services, row).head(row.id)) : branchRef(input.branch)
    const request = { branch, files, message: input.message }
    const { parent } = input
    if (parent === undefined) return commitOnTop(ctx, row, request)
    if (parent !== (await tipOf(ctx, row, branch))) throw moved(branch)
    return commitFiles(ctx, row, { ...request, parent })
  },
})

const mostRaces = 20
const turns = new Turns()

/**
 * On top of what is there: one after the other here, since of several at once all but one would be made in vain. A branch that others move meanwhile is looked
 * at again.
 */
function commitOnTop(ctx: Ctx, row: ResourceRow, request: Omit<CommitRequest, 'parent'>): Promise<Committed> {
  return turns.take(`${row.id} ${request.branch}`, () => commitRacing(ctx, row, request))
}

async function commitRacing(ctx: Ctx, row: ResourceRow, request: Omit<CommitRequest, 'parent'>): Promise<Committed> {
  for (let race = 1; ; race++) {
    const parent = await tipOf(ctx, row, request.branch)
    try {
      return await commitFiles(ctx, row, { ...request, parent })
    } catch (error) {
      if (race === mostRaces || !isFault(error, 'state_conflict')) throw error
    }
  }
}

async function tipOf(ctx: Ctx, row: ResourceRow, branch: string): Promise<string | null> {
  return (await onStorage(ctx, row, () => storageOf(ctx.services, row).refs(row.id))).get(branch) ?? null
}

function fileOf(file: { path: string; text?: string | undefined; base64?: string | undefined; executable?: boolean | undefined }): CodeFile {
  const { path, text, base64, executable = false } = file
  const content = text !== undefined ? new TextEncoder().encode(text) : base64 !== undefined ? Buffer.from(base64, 'base64') : null
  return { path, content, executable }
}

type CommitRequest = {
  /** Full name of the branch. */
  readonly branch: string
  readonly parent: string | null
  readonly files: readonly CodeFile[]
  readonly message: string
}

type Committed = { id: string; path: string; branch: string; commit: string; parent: string | null }

/**
 * Makes a commit in the name of the caller and records it as a push does: an intent before the branch moves, then the change with the audit line of the
 * operation that runs. A server that is killed in between finishes the record at its next start. Errors: `state_conflict` when the branch has moved.
 */
async function commitFiles(ctx: Ctx, row: ResourceRow, request: CommitRequest): Promise<Committed> {
  const { branch, parent } = request
  // What it will become is not known yet, and does not matter: it changes.
  await refuseProtected(ctx, row, [{ ref: branch, from: parent, to: '' }])
  await refuseReplaced(ctx, row, request)
  const author = signatureOf(ctx)
  const push: { intent: PushRow | null; recorded: boolean } = { intent: null, recorded: false }
  try {
    const onMade = async (to: string) => {
      push.intent = await openPush(ctx, row, { ref: branch, from: parent, to })
    }
    const commit = await onStorage(ctx, row, () => storageOf(ctx.services, row).commit(row.id, { ...request, author }, { onMade }))
    if (commit === 'conflict' || !push.intent) throw moved(branch)
    const done = await closePush(ctx, row, push.intent, { ref: branch, from: parent, to: commit })
    push.recorded = true
    return done
  } finally {
    if (push.intent && !push.recorded) await settle(ctx, push.intent)
  }
}

/** Records the intent to change a branch, before it moves. */
async function openPush(ctx: Ctx, row: ResourceRow, change: RefUpdate): Promise<PushRow> {
  const intent: PushRow = {
    id: ctx.ids.record(),
    repository_id: row.id,
    user_id: ctx.principal.id,
    user: ctx.principal.name,
    state: 'open',
    commands: [change],
    changes: [],
    at: ctx.clock.now(),
  }
  // Not through ctx.write: that is the commit with the audit line, which belongs to the outcome.
  await ctx.services.store.write((tables) => tables.pushes.open(intent))
  return intent
}

async function closePush(ctx: Ctx, row: ResourceRow, intent: PushRow, change: RefUpdate & { to: string }): Promise<Committed> {
  const fresh = await specAfter(ctx.services, row, [change])
  const done = await ctx.write(async (inside) => {
    const now = await recordPush(inside.db, intent, [change], fresh, inside.clock.now(), causeOfCall(ctx.origin))
    return { id: row.id, path: now?.name ?? row.name, branch: branchName(change.ref), commit: change.to, parent: change.from }
  })
  ctx.emit(pushEvent(row, intent, [change]))
  return done
}

/** Closes an intent whose branch did not move, or of which nobody knows: what is true of it decides. If that cannot be recorded now, the next start does it. */
async function settle(ctx: Ctx, intent: PushRow): Promise<void> {
  await settlePush(ctx.services, intent).catch((error: unknown) => ctx.log.warn('push.left_open', { push: intent.id, error }))
}

/** The caller as the author of a commit. */
function signatureOf({ principal, clock }: Ctx): CodeSignature {
  return { name: principal.name, email: principal.email ?? '', at: clock.now(), zone: '+0000' }
}

function moved(branch: string) {
  return fault('state_conflict', {
    what: `The branch "${branchName(branch)}"`,
    state: 'elsewhere by now',
    next: 'Read it again, and commit on top of what is there.',
  })
}

export type { CommitRequest, Committed }
export { commitFilesToRepository, openPush, settle, signatureOf }
