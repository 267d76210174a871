import { constants } from 'node:fs'
import { mkdir, open, readdir, realpath, rm, symlink } from 'node:fs/promises'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import { CatFile } from './cat-file.ts'
import type { GitHost } from './environment.ts'
import { isOid, isSafeEntryName } from './names.ts'
import { readTree } from './objects.ts'
import type { TreeEntry } from './objects.ts'
import { storageError } from './storage.ts'

type CheckoutOptions = { readonly limitBytes: number; readonly limitFiles: number; readonly signal: AbortSignal }

const linkLimit = 4095
const window = 32
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

type Link = { readonly path: Buffer; readonly target: Buffer }
type Budget = { files: number; bytes: number }

/**
 * Writes a tree below an existing empty folder, reading object by object: no filter, attribute or hook has a say.
 *
 * Links are made last. Until then everything below the folder is a folder or file that we made ourselves, so no write can be led outside by a link of the
 * tree, whatever names it holds and however the file system compares them. Every file is made anew (O_EXCL), so two names that mean one are an error.
 *
 * On any failure the folder is emptied again and the error thrown: there is no partial success.
 */
async function checkoutTree(host: GitHost, directory: string, tree: string, folder: string, options: CheckoutOptions): Promise<void> {
  options.signal.throwIfAborted()
  if (!isOid(tree)) throw new GitUnavailable('not an object id')
  const root = Buffer.from(await realpath(folder).catch(failStorage))
  if ((await readdir(root)).length > 0) throw new GitUnavailable('the folder to check out into is not empty')
  const reader = new CatFile(host, directory, { timeoutMs: null })
  const stop = () => void reader.close()
  options.signal.addEventListener('abort', stop, { once: true })
  try {
    await write(reader, tree, root, options)
    options.signal.throwIfAborted()
  } catch (error) {
    await empty(root)
    options.signal.throwIfAborted()
    throw error instanceof GitContentRefused ? error : storageError(error)
  } finally {
    options.signal.removeEventListener('abort', stop)
    await reader.close()
  }
}

async function write(reader: CatFile, tree: string, root: Buffer, options: CheckoutOptions): Promise<void> {
  const budget: Budget = { files: options.limitFiles, bytes: options.limitBytes }
  const links: Link[] = []
  const start = await reader.info(tree, '^{tree}')
  if (start === null) throw new GitUnavailable(`the tree ${tree} is missing`)
  const folders = [{ path: root, oid: start.oid }]
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const entries = await readTree(reader, next.oid)
    budget.files -= entries.length
    if (budget.files < 0) throw new GitContentRefused(`the tree holds more than ${options.limitFiles} files and folders`)
    checkNames(entries)
    const files: (() => Promise<void>)[] = []
    for (const entry of entries) {
      const path = Buffer.concat([next.path, Buffer.from('/'), entry.name])
      if (entry.type === 'tree' || entry.type === 'commit') {
        await mkdir(path, { mode: 0o755 })
        if (entry.type === 'tree') folders.push({ path, oid: entry.oid })
      } else if (entry.type === 'link') files.push(async () => void links.push({ path, target: await readLink(reader, entry.oid, budget) }))
      else files.push(() => writeFile(reader, entry, path, budget))
    }
    await inWindow(files)
  }
  for (const link of links) await symlink(link.target, link.path)
}

function checkNames(entries: readonly TreeEntry[]): void {
  const seen = new Set<string>()
  for (const { name } of entries) {
    const key = name.toString('latin1')
    if (!isSafeEntryName(name))
      throw new GitContentRefused(`the tree holds the name ${JSON.stringify(name.toString('utf8').slice(0, 100))}, which may not be written`)
    if (seen.has(key)) throw new GitContentRefused(`the tree holds the name ${JSON.stringify(name.toString('utf8').slice(0, 100))} twice`)
    seen.add(key)
  }
}

async function writeFile(reader: CatFile, entry: TreeEntry, path: Buffer, budget: Budget): Promise<void> {
  const file = await open(path, newFile, (Number.parseInt(entry.mode, 8) & 0o111) === 0 ? 0o644 : 0o755)
  try {
    const header = await reader.contents(entry.oid, (found) => {
      spend(found.type, found.size, budget)
      return {
        async write(chunk) {
          for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
        },
      }
    })
    if (header === null) throw new GitUnavailable(`the blob ${entry.oid} is missing`)
  } finally {
    await file.close()
  }
}

async function readLink(reader: CatFile, oid: string, budget: Budget): Promise<Buffer> {
  const chunks: Buffer[] = []
  const header = await reader.contents(oid, (found) => {
    spend(found.type, found.size, budget)
    if (found.size === 0 || found.size > linkLimit) throw new GitContentRefused('the tree holds a link that is empty or too long')
    return { write: (chunk) => void chunks.push(Buffer.from(chunk)) }
  })
  if (header === null) throw new GitUnavailable(`the blob ${oid} is missing`)
  const target = Buffer.concat(chunks)
  if (target.includes(0)) throw new GitContentRefused('the tree holds a link with a NUL in its target')
  return target
}

// The size is known before the first byte is written: what is too large never reaches the disk.
function spend(type: string, size: number, budget: Budget): void {
  if (type !== 'blob') throw new GitUnavailable('a file of the tree is not a blob')
  budget.bytes -= size
  if (budget.bytes < 0) throw new GitContentRefused('the tree holds more bytes than may be written')
}

// A few requests are under way at once, so that git reads while we write. All have ended when it returns, so that nothing is written behind a failure.
async function inWindow(work: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0
  let failed = false
  const lane = async () => {
    for (let task = work[next++]; task !== undefined && !failed; task = work[next++]) {
      await task().catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(window, work.length) }, lane))
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (refused.length > 0) throw refused.find((error) => error instanceof GitContentRefused) ?? refused[0]
}

async function empty(root: Buffer): Promise<void> {
  for (const name of await readdir(root, { encoding: 'buffer' }).catch(() => [])) {
    await rm(Buffer.concat([root, Buffer.from('/'), name]), { recursive: true, force: true }).catch(() => {})
  }
}

function failStorage(error: unknown): never {
  throw storageError(error)
}

export type { CheckoutOptions }
export { checkoutTree }
