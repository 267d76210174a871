import { rm } from 'node:fs/promises'
import { HgContentRefused, HgUnavailable } from '../../ports/hg.ts'
import { isCommitPath, isRefName } from './names.ts'
import { unfinishedPath } from './storage.ts'
import type { CodeChange, CodeMerge, CodeMerged, CodeMergeTry, RefUpdate } from '../../ports/code-storage.ts'
import type { HgHost } from './environment.ts'
import type { Gate } from '../code/gate.ts'
import type { Pool } from './pool.ts'
import type { Pushes } from './pushes.ts'

/** What changes storage is made of. */
type Acting = {
  readonly host: HgHost
  readonly acts: Pool
  readonly pushes: Pushes
  /** Merges have a working copy each, so that few run at once. */
  readonly merges: Gate
  readonly mend: (directory: string) => Promise<void>
}

type ActOptions = { readonly signal?: AbortSignal; readonly input?: unknown; readonly timeoutMs?: number }
type Answer = { conflict?: boolean; commit?: string; conflicts?: string[]; refused?: string; pull?: boolean; forward?: boolean }

/** Runs one act of our extension on a repository. `ask` hears what it would change before it is committed, and refuses by throwing. */
async function act(
  acting: Acting,
  directory: string,
  question: object,
  ask: (changes: readonly RefUpdate[]) => Promise<void>,
  options: ActOptions = {},
): Promise<Answer> {
  const { pushes, acts, host } = acting
  await acting.mend(directory)
  const token = pushes.open(ask)
  try {
    const config = ['capstan.end=write', `capstan.socket=${pushes.socket}`, `capstan.push=${token.token}`].flatMap((setting) => ['--config', setting])
    const { output } = await acts.run([...config, '-R', directory, 'capstan', JSON.stringify(question)], {
      timeoutMs: options.timeoutMs ?? host.actMs,
      ...(options.input === undefined ? {} : { input: Buffer.from(JSON.stringify(options.input)) }),
      ...(options.signal ? { signal: options.signal } : {}),
    })
    // Written by our own extension.
    return JSON.parse(output.toString('utf8')) as Answer
  } catch (error) {
    throw token.refusal() ?? error
  } finally {
    token.close()
  }
}

type Made = { onMade?: (commit: string) => Promise<void> }

/** Makes a changeset on a branch from whole files: its id, or 'conflict'. */
async function commitFiles(acting: Acting, directory: string, change: CodeChange, { onMade }: Made = {}): Promise<string | 'conflict'> {
  const { branch, parent, message, author } = change
  const name = branchOf(branch)
  for (const { path } of change.files) if (!isCommitPath(path)) throw new HgContentRefused(`a file may not have the path ${JSON.stringify(path)}`)
  if (/^\d+$/.test(name) || ['tip', 'null', '.'].includes(name) || /[:\r\n]/.test(name) || name.trim() !== name)
    throw new HgContentRefused(`Mercurial takes no branch of the name ${JSON.stringify(name)}`)
  const files = change.files.map(({ path, content, executable }) => ({
    path,
    content: content === null ? null : Buffer.from(content).toString('base64'),
    executable: executable ?? false,
  }))
  const made = async (changes: readonly RefUpdate[]) => {
    const { to } = changeOf(changes, branch, parent)
    await onMade?.(to)
  }
  const answer = await act(acting, directory, { do: 'commit' }, made, { input: { branch, parent, message, author, files } })
  return answer.conflict ? 'conflict' : (answer.commit ?? fail())
}

/** Whether two changesets can be put together. */
async function tryMerge(
  acting: Acting,
  directory: string,
  { ours, theirs, source }: { ours: string; theirs: string; source: string | null },
  signal: AbortSignal,
): Promise<CodeMergeTry> {
  const answer = await inScratch(acting, { signal, source }, (scratch) =>
    act(acting, directory, { do: 'merge' }, nothing, { signal, input: { ...limits, scratch, ours, theirs, source, keep: false } }),
  )
  if (answer.refused !== undefined) throw new HgContentRefused(answer.refused)
  if (answer.conflict) throw new HgUnavailable('a changeset to be merged is not there')
  const conflicts = answer.conflicts ?? fail()
  return conflicts.length > 0 ? { conflicts } : { tree: `${theirs}:` }
}

/** Brings a changeset of another storage, or of this one, into a branch. */
async function mergeInto(
  acting: Acting,
  directory: string,
  merge: Omit<CodeMerge, 'source'> & { source: string | null },
  { signal, onMade }: Made & { signal: AbortSignal },
): Promise<CodeMerged | 'conflict'> {
  const { branch, ours, theirs, source, commit } = merge
  branchOf(branch)
  const made = async (changes: readonly RefUpdate[]) => {
    const { to } = changeOf(changes, branch, ours)
    if (commit === null && to !== theirs) throw forwardRefused()
    await onMade?.(to)
  }
  const bring = (revision: string, from: string) =>
    act(acting, directory, { do: 'pull', branch, ours, revision, source: from }, made, { signal }).then(mergedOf)
  // A changeset belongs to one branch for ever: what was made on another cannot become this one's tip.
  const forward = () => (source === null ? Promise.reject(forwardRefused()) : bring(theirs, source))
  if (commit === null) return forward()
  return inScratch(acting, { signal, source }, async (scratch) => {
    const input = { ...limits, scratch, ours, theirs, source, branch, commit, keep: true }
    const answer = await act(acting, directory, { do: 'merge' }, made, { signal, input })
    if (answer.forward) return forward()
    return answer.pull && answer.commit ? bring(answer.commit, scratch) : mergedOf(answer)
  })
}

function mergedOf(answer: Answer): CodeMerged | 'conflict' {
  if (answer.refused !== undefined) throw new HgContentRefused(answer.refused)
  if (answer.conflict) return 'conflict'
  if (answer.conflicts) return { conflicts: answer.conflicts }
  return { commit: answer.commit ?? fail() }
}

const limits = { limit_files: 20_000, limit_bytes: 512 * 1024 * 1024 }

// Beside the repositories, so that a clone for a merge takes no more than its links; what a crash leaves there the next start removes.
async function inScratch<T>(
  { merges, host }: Acting,
  { signal }: { signal: AbortSignal; source: string | null },
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  const leave = await merges.enter(signal)
  const scratch = unfinishedPath(host)
  try {
    return await work(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
    leave()
  }
}

/** What a change does to the branch that it is about; anything else is not what was asked for. */
function changeOf(changes: readonly RefUpdate[], branch: string, from: string | null): { to: string } {
  const change = changes.find(({ ref }) => ref === branch)
  if (change?.from !== from || change.to === null) throw new HgContentRefused('the branch would not be where it should')
  return { to: change.to }
}

function forwardRefused(): HgContentRefused {
  return new HgContentRefused('Mercurial keeps the branch of a changeset: this one cannot become the tip of another')
}

function branchOf(ref: string): string {
  if (!ref.startsWith('refs/heads/') || !isRefName(ref)) throw new HgContentRefused(`${ref} is no branch`)
  return ref.slice('refs/heads/'.length)
}

async function nothing(): Promise<void> {
  throw new HgContentRefused('nothing was to be changed')
}

function fail(): never {
  throw new HgUnavailable('hg answered something else')
}

export type { Acting }
export { act, commitFiles, tryMerge, mergeInto }
