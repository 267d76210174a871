import { GitUnavailable } from '../../ports/git.ts'
import type { GitCommit, GitEntry, GitSignature } from '../../ports/git.ts'
import type { CatFile } from './cat-file.ts'
import { isOid, pathParts } from './names.ts'

/** An entry of a tree as git stores it. Names are bytes: they need not be UTF-8. */
type TreeEntry = { readonly name: Buffer; readonly mode: string; readonly type: GitEntry['type']; readonly oid: string }

/** Reads objects by their ids. */
type ObjectSource = Pick<CatFile, 'info' | 'whole'>

/** As above, and finds its way through trees. */
type Objects = ObjectSource & {
  /** The entry of a name in a tree; null when there is none. */
  child(tree: string, name: string): Promise<TreeEntry | null>
}

const treeLimit = 32 * 1024 * 1024
const commitLimit = 8 * 1024 * 1024

/** The entries of a tree object, or `GitUnavailable` when it is missing, too large or not a tree. */
async function readTree(reader: ObjectSource, oid: string): Promise<TreeEntry[]> {
  const bytes = await reader.whole(oid, { type: 'tree', limit: treeLimit })
  if (bytes === null) throw new GitUnavailable(`the tree ${oid} is missing`)
  return parseTree(bytes)
}

function parseTree(bytes: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = []
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at)
    const end = blank < 0 ? -1 : bytes.indexOf(0, blank + 1)
    if (end < 0 || end + 21 > bytes.length) throw new GitUnavailable('a tree is cut off')
    const mode = bytes.toString('latin1', at, blank)
    if (!/^[0-7]{1,7}$/.test(mode)) throw new GitUnavailable('a tree has an entry without a mode')
    const oid = bytes.toString('hex', end + 1, end + 21)
    entries.push({ name: bytes.subarray(blank + 1, end), mode: mode.padStart(6, '0'), type: typeOf(mode), oid })
    at = end + 21
  }
  return entries
}

function typeOf(mode: string): GitEntry['type'] {
  switch (Number.parseInt(mode, 8) & 0o170000) {
    case 0o040000:
      return 'tree'
    case 0o100000:
      return 'blob'
    case 0o120000:
      return 'link'
    case 0o160000:
      return 'commit'
    default:
      throw new GitUnavailable(`a tree has an entry of the unknown mode ${mode}`)
  }
}

/** What is at `path` of a commit or tree, found folder by folder through object ids, so that no name is ever part of a revision expression. */
async function findEntry(objects: Objects, treeish: string, path: string): Promise<GitEntry | null> {
  const parts = pathParts(path)
  if (parts === null) return null
  const root = await objects.info(treeish, '^{tree}')
  if (root === null) {
    if ((await objects.info(treeish)) === null) throw new GitUnavailable(`the object ${treeish} is missing`)
    return null
  }
  let found: TreeEntry = { name: Buffer.alloc(0), mode: '040000', type: 'tree', oid: root.oid }
  for (const part of parts) {
    if (found.type !== 'tree') return null
    const next = await objects.child(found.oid, part)
    if (next === null) return null
    found = next
  }
  return described(objects, found)
}

/** An entry in the words of the port, with the size of files and links. */
async function described(reader: ObjectSource, entry: TreeEntry): Promise<GitEntry> {
  const { mode, type, oid } = entry
  const name = entry.name.toString('utf8')
  if (type === 'tree' || type === 'commit') return { name, mode, type, oid, size: null }
  const header = await reader.info(oid)
  if (header === null) throw new GitUnavailable(`the blob ${oid} is missing`)
  return { name, mode, type, oid, size: header.size }
}

async function readCommit(reader: ObjectSource, oid: string): Promise<GitCommit> {
  const bytes = await reader.whole(oid, { type: 'commit', limit: commitLimit })
  if (bytes === null) throw new GitUnavailable(`the commit ${oid} is missing`)
  return parseCommit(oid, bytes)
}

function parseCommit(id: string, bytes: Buffer): GitCommit {
  const end = bytes.indexOf('\n\n')
  const head = end < 0 ? bytes : bytes.subarray(0, end)
  const encoding = /^encoding (\S+)$/m.exec(head.toString('latin1'))?.[1]
  const text = decoder(encoding)
  const parents: string[] = []
  let author: GitSignature = nobody
  let committer: GitSignature = nobody
  for (const line of text(head).split('\n')) {
    const [, word, value = ''] = /^(parent|author|committer) (.*)$/.exec(line) ?? []
    if (word === 'parent' && isOid(value)) parents.push(value)
    if (word === 'author' && author === nobody) author = parseSignature(value)
    if (word === 'committer' && committer === nobody) committer = parseSignature(value)
  }
  return { id, parents, author, committer, message: end < 0 ? '' : text(bytes.subarray(end + 2)) }
}

const nobody: GitSignature = { name: '', email: '', at: 0, zone: '+0000' }

function decoder(encoding: string | undefined): (bytes: Buffer) => string {
  try {
    const known = new TextDecoder(encoding ?? 'utf-8')
    return (bytes) => known.decode(bytes)
  } catch {
    return (bytes) => bytes.toString('utf8')
  }
}

// Histories hold signatures without a date, without an address, or with several of either: what is there is taken.
function parseSignature(text: string): GitSignature {
  const from = text.indexOf('<')
  const to = text.indexOf('>', from)
  if (from < 0 || to < 0) return { ...nobody, name: text.trim() }
  const [, seconds, zone] = /^ (-?\d{1,12})(?: ([+-]\d{1,4}))?/.exec(text.slice(text.lastIndexOf('>') + 1)) ?? []
  return { name: text.slice(0, from).trim(), email: text.slice(from + 1, to).trim(), at: Number(seconds ?? 0) * 1000, zone: zone ?? '+0000' }
}

export type { TreeEntry, ObjectSource, Objects }
export { readTree, findEntry, described, readCommit }
