import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import type { GitChange, GitFile, GitSignature } from '../../ports/git.ts'
import { plainSpelling } from '../code/names.ts'
import type { GitHost } from './environment.ts'
import { isOid, isRefName, isSafeEntryName, noObject, pathParts } from './names.ts'
import { runGit, unavailable } from './process.ts'
import type { RefReader } from './refs.ts'
import type { RefWriter } from './update-refs.ts'
import type { Writers } from './writers.ts'

type CommitParts = { readonly host: GitHost; readonly refs: RefReader; readonly refWriter: RefWriter; readonly writers: Writers }

const importMs = 60_000

/** Makes a commit of whole files and moves the branch to it. The branch moves last and by comparison, so a lost race or a kill leaves objects that nothing names. */
async function commitFiles(
  parts: CommitParts,
  directory: string,
  change: GitChange,
  options: { onMade?: (commit: string) => Promise<void> } = {},
): Promise<string | 'conflict'> {
  const { branch, parent } = change
  if (!isRefName(branch) || !branch.startsWith('refs/heads/') || (parent !== null && !isOid(parent)))
    throw new GitUnavailable('a commit names what is no branch or object')
  checkFiles(change.files)
  if ((await parts.refs.read(directory, branch)) !== parent) return 'conflict'
  const commit = await importCommit(parts, directory, change)
  await options.onMade?.(commit)
  const moved = await parts.refWriter.update(directory, [{ ref: branch, from: parent, to: commit }])
  return moved === 'done' ? commit : 'conflict'
}

async function importCommit({ host, writers }: CommitParts, directory: string, change: GitChange): Promise<string> {
  const leave = await writers.enter(directory)
  let end: 'in-order' | 'killed' = 'killed'
  try {
    // One synced pack, as of a push: loose objects would be a sync each.
    const args = ['-c', 'fastimport.unpackLimit=0', `--git-dir=${directory}`, 'fast-import', '--quiet', '--done', '--date-format=raw']
    const { exit, stdout } = await runGit(host, args, { directory, input: streamOf(change), timeoutMs: importMs })
    if (exit.code !== null) end = 'in-order'
    const commit = stdout.toString('latin1').trim()
    if (exit.code === 0 && isOid(commit)) return commit
    await removeCrashReports(directory)
    throw unavailable('fast-import', exit)
  } finally {
    await leave(end)
  }
}

function streamOf({ parent, files, author, committer = author, message }: GitChange): Buffer {
  // fast-import builds a commit under some ref. This one is taken back in the same stream, before any ref is written, so that no client ever sees it.
  const scratch = `refs/capstan-${randomBytes(12).toString('hex')}`
  const text = Buffer.from(message.replaceAll('\0', ''))
  const chunks: (string | Uint8Array)[] = [
    `commit ${scratch}\nmark :1\nauthor ${signatureOf(author)}\ncommitter ${signatureOf(committer)}\ndata ${text.length}\n`,
    text,
    parent === null ? '\n' : `\nfrom ${parent}\n`,
  ]
  // What goes comes first: otherwise deleting a folder would take with it what is written below.
  for (const { path, content } of files) if (content === null) chunks.push(`D ${quoted(path)}\n`)
  for (const { path, content, executable } of files)
    if (content !== null) chunks.push(`M ${executable ? '100755' : '100644'} inline ${quoted(path)}\ndata ${content.length}\n`, content, '\n')
  chunks.push(`\nget-mark :1\nreset ${scratch}\nfrom ${noObject}\n\ndone\n`)
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)))
}

function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}

function signatureOf({ name, email, at, zone }: GitSignature): string {
  const seconds = Math.min(Math.max(Math.trunc(at / 1000) || 0, 0), 0xffff_ffff)
  const [, hours = '', minutes = ''] = /^[+-](\d\d)(\d\d)$/.exec(zone) ?? []
  const known = hours !== '' && Number(hours) <= 14 && Number(minutes) < 60
  return `${plain(name) || 'unknown'} <${plain(email)}> ${seconds} ${known ? zone : '+0000'}`
}

// Nothing may end the line or the address.
function plain(text: string): string {
  return text
    .replace(/[\x00-\x20\x7f<>]+/g, ' ')
    .trim()
    .slice(0, 500)
}

function checkFiles(files: readonly GitFile[]): void {
  const written = new Set<string>()
  for (const { path, content } of files) {
    const parts = pathParts(path)
    if (parts === null || parts.length === 0 || !parts.every(isWritable)) refuse(path, 'may not be used')
    if (content === null) continue
    if (written.has(path)) refuse(path, 'is there twice')
    written.add(path)
  }
  for (const path of written)
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
      if (written.has(path.slice(0, at))) refuse(path, 'is below a path that is a file')
  for (const { path, content } of files) if (content === null && written.has(path)) refuse(path, 'is both written and deleted')
}

// `.gitmodules` makes clients fetch from where it says; a push has git look into it, which nothing does here.
function isWritable(part: string): boolean {
  return part.isWellFormed() && !/[\\\x00-\x1f\x7f]/.test(part) && isSafeEntryName(Buffer.from(part)) && !isGitmodules(part)
}

function isGitmodules(part: string): boolean {
  const plainName = plainSpelling(part)
  return plainName === '.gitmodules' || /^(gitmod|gi7eba)~\d+$/.test(plainName)
}

function refuse(path: string, why: string): never {
  throw new GitContentRefused(`the path ${JSON.stringify(path.slice(0, 200))} ${why}`)
}

// fast-import leaves what it was given beside the refs when it fails.
async function removeCrashReports(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => []))
    if (name.startsWith('fast_import_crash_')) await rm(`${directory}/${name}`, { force: true })
}

export type { CommitParts }
export { commitFiles, plain }
