import { find } from '../access/find.ts'
import { fault, isFault } from '../kernel/fault.ts'
import { BoundedMap } from '../kernel/bounded-map.ts'
import { isUuid } from '../kernel/id.ts'
import { freeze } from '../kernel/json.ts'
import { GitBusy, GitTimeout, GitUnavailable } from '../../ports/git.ts'
import { branchName, isRefPath } from '../repository/branch-name.ts'
import { specOf } from '../repository/spec.ts'
import { checkedText, readCheckedJson } from './checked-json.ts'
import { parameterFault } from './parameter.ts'
import type { Level } from '../kernel/level.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Json } from '../kernel/json.ts'
import type { Ctx } from '../operation/context.ts'
import type { Git, GitEntry } from '../../ports/git.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** Where a definition was read: fixed at one commit, so that everything else of it is read from the same state. */
type Source = {
  /** As the caller wrote it. */
  readonly repository: string
  readonly repositoryId: string
  /** What the caller holds on the repository. */
  readonly level: Level
  readonly directory: string
  readonly branch: string
  readonly commit: string
}

type SourceFile = 'manifest.json' | 'pipeline.json'

type SourceDocument = { readonly value: Json | undefined; readonly problems: readonly Problem[] }

// What a file of one id says never changes.
const documents = new BoundedMap<SourceDocument>(500)
const smallDocument = 16 * 1024

/** Largest manifest or pipeline file. */
const largestDocument = 1024 * 1024
/** Deepest nesting of one. */
const deepestDocument = 32

const repositoryPart = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Checks the form of a repository's name (Deploy API §4.4) without asking whether it exists. `repository:<path>` and an id are native forms. */
function checkRepositoryName(text: string): void {
  const path = text.startsWith('repository:') ? text.slice('repository:'.length) : text
  if (isUuid(path)) return
  const parts = path.split('/')
  const fine = (part: string) => repositoryPart.test(part) && !/\.(git|lock)$/.test(part) && !part.includes('..')
  if (path.length <= 300 && parts.length <= (text === path ? 2 : 20) && parts.every(fine)) return
  throw parameterFault('repository', 'must be a repository, or organisation/repository')
}

/** Checks the form of a directory: relative, one or more names, nothing that leads elsewhere. */
function checkDirectory(text: string): void {
  const fine = (part: string) => part !== '' && part !== '.' && part !== '..'
  if (text.length <= 512 && !/[\\\p{Cc}]/u.test(text) && text.isWellFormed() && text.split('/').every(fine)) return
  throw parameterFault('directory', 'must be a relative path of at most 512 characters without empty, "." or ".." parts')
}

/** Checks that a text can be the name of a git branch. */
function checkBranch(text: string): void {
  // Both are other words for what is checked out, and git makes no branch of that name.
  const reserved = text === '@' || text === 'HEAD'
  if (text.length > 255 || reserved || !isRefPath(text))
    throw parameterFault('branch', 'must be a legal name of a git branch, at most 255 characters')
}

/** The repository that a caller means, if it may be read: within the caller's organisation, or `organisation/repository`. */
async function findRepository(ctx: Ctx, text: string): Promise<{ row: ResourceRow; level: Level }> {
  const organisation = ctx.principal.organisation || ctx.services.settings.defaultOrganisation
  const bare = !text.includes('/') && !text.includes(':') && !isUuid(text)
  const reference = bare && organisation ? `${organisation}/${text}` : text
  const { row, level } = await find(ctx, { kind: 'repository', need: 'read', member: 'repository' }, reference, 'task.deploy')
  return { row, level }
}

/**
 * Fixes a directory of a repository at one commit, asked for just now: a push that finished before is always seen. Without a branch it is `master`, and where
 * there is none the repository's default branch.
 *
 * Errors: `not_found` with the kind `branch` or `directory` in its private context, `git_timeout`, `git_unavailable`, `overloaded`.
 */
async function resolveSource(
  ctx: Ctx,
  repository: { row: ResourceRow; level: Level; text: string },
  directory: string,
  branch: string | null,
): Promise<Source> {
  const { row, level, text } = repository
  if (specOf(row).kind === 'hg') {
    throw fault('unsupported', { what: `Deploying from "${text}"`, why: 'it is a Mercurial repository, and tasks are read from git' })
  }
  const git = ctx.services.git
  const resolved = await resolveBranch(git, row.id, branch)
  if (!resolved) throw missing('branch', branch ?? 'master', 'branch')
  const source = { repository: text, repositoryId: row.id, level, directory, ...resolved }
  const entry = await git.entry(row.id, resolved.commit, directory)
  if (entry?.type !== 'tree') throw missing('directory', directory, 'directory')
  return source
}

async function resolveBranch(git: Git, id: string, branch: string | null): Promise<{ branch: string; commit: string } | null> {
  const wanted = branch ?? 'master'
  const commit = await git.resolve(id, `refs/heads/${wanted}`)
  if (commit) return { branch: wanted, commit }
  if (branch !== null) return null
  const head = await git.head(id)
  const fallback = head.startsWith('refs/heads/') ? await git.resolve(id, head) : null
  return fallback ? { branch: branchName(head), commit: fallback } : null
}

/** As `resolveSource`, for a definition that names another repository: the same branch there if it exists, else that repository's default branch. */
async function resolveBeside(ctx: Ctx, repository: { row: ResourceRow; level: Level; text: string }, directory: string, branch: string) {
  const { git } = ctx.services
  const same = await git.resolve(repository.row.id, `refs/heads/${branch}`)
  if (same) return resolveSource(ctx, repository, directory, branch)
  const head = await git.head(repository.row.id)
  return resolveSource(ctx, repository, directory, head.startsWith('refs/heads/') ? branchName(head) : null)
}

/** A document of a source: parsed, with what is wrong with its text. An absent file throws `not_found` of kind `manifest` or `pipeline file`. */
async function readDocument(ctx: Ctx, source: Source, file: SourceFile): Promise<SourceDocument> {
  const { git } = ctx.services
  const path = `${source.directory}/${file}`
  const entry = await git.entry(source.repositoryId, source.commit, path)
  if (!entry) throw missing(file === 'manifest.json' ? 'manifest' : 'pipeline file', path, 'directory')
  if (entry.type !== 'blob') return refused('type', `is a ${kindName(entry)}; it must be a regular file`)
  const key = `${source.repositoryId} ${entry.oid}`
  const known = documents.get(key)
  if (known) return known
  const bytes = await git.blob(source.repositoryId, entry.oid, { limit: largestDocument })
  if (!bytes) return refused('size', `is larger than ${largestDocument} bytes`)
  const document = readDocumentBytes(bytes)
  if (bytes.length <= smallDocument) documents.set(key, freeze(document))
  return document
}

function readDocumentBytes(bytes: Uint8Array): SourceDocument {
  const text = checkedText(bytes)
  if ('problem' in text) return { value: undefined, problems: [text.problem] }
  return readCheckedJson(text.text, { depth: deepestDocument })
}

/** The tree of `<directory>/code`, or null; and whether it can be built. */
async function codeOf(ctx: Ctx, source: Source): Promise<{ tree: string | null; dockerfile: boolean }> {
  const { git } = ctx.services
  const code = await git.entry(source.repositoryId, source.commit, `${source.directory}/code`)
  if (code?.type !== 'tree') return { tree: null, dockerfile: false }
  const dockerfile = await git.entry(source.repositoryId, source.commit, `${source.directory}/code/Dockerfile`)
  return { tree: code.oid, dockerfile: dockerfile?.type === 'blob' }
}

/** Runs reads of git within the operator's budget of time, and turns the port's failures into faults. */
async function withinGitBudget<T>(ctx: Ctx, repository: string, work: () => Promise<T>): Promise<T> {
  const { gitTimeoutMs } = ctx.services.settings
  const { promise: tooLong, reject } = Promise.withResolvers<never>()
  const timer = ctx.clock.after(gitTimeoutMs, () =>
    reject(fault('git_timeout', { repository, seconds: gitTimeoutMs / 1000 }, { retryAfterMs: 5000 })),
  )
  try {
    return await Promise.race([work(), tooLong])
  } catch (error) {
    throw gitFault(error, repository, gitTimeoutMs)
  } finally {
    timer.cancel()
  }
}

function gitFault(error: unknown, repository: string, gitTimeoutMs: number): unknown {
  if (isFault(error)) return error
  const options = { cause: error, retryAfterMs: 5000 }
  if (error instanceof GitTimeout) return fault('git_timeout', { repository, seconds: gitTimeoutMs / 1000 }, options)
  if (error instanceof GitBusy) return fault('overloaded', { what: 'git is asked too much', seconds: 5 }, options)
  if (error instanceof GitUnavailable) return fault('git_unavailable', { repository }, options)
  return error
}

function missing(kind: 'branch' | 'directory' | 'manifest' | 'pipeline file', reference: string, member: string) {
  return fault('not_found', { kind, reference }, { private: { absence: 'missing', kind, reference, member } })
}

function refused(code: string, message: string): { value: undefined; problems: readonly Problem[] } {
  return { value: undefined, problems: [{ path: '', code, message, severity: 'error' }] }
}

function kindName(entry: GitEntry): string {
  return { blob: 'file', tree: 'directory', commit: 'submodule', link: 'symbolic link' }[entry.type]
}

export type { Source, SourceFile }
export {
  largestDocument,
  deepestDocument,
  checkRepositoryName,
  checkDirectory,
  checkBranch,
  findRepository,
  resolveSource,
  resolveBeside,
  readDocument,
  codeOf,
  withinGitBudget,
}
