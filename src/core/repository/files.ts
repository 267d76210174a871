import { fault } from '../kernel/fault.ts'
import { pageOf, pageRequest } from '../kernel/page.ts'
import { Closed, listMembers, Nullable, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { storageOf } from './code.ts'
import { RepositoryMember, RevisionMember } from './inputs.ts'
import { NumberedRevision } from './history.ts'
import { numberedCommit } from './numbers.ts'
import { commitOf } from './revision.ts'
import { onStorage } from './on-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { CodeEntry } from '../../ports/code-storage.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const largestFile = 5 * 1024 * 1024
const mostEntries = 100_000

const words = { blob: 'file', tree: 'folder', link: 'link', commit: 'submodule' } as const satisfies Record<CodeEntry['type'], string>
const EntryType = OneOf(['file', 'folder', 'link', 'submodule'])
const FilePath = Type.String({ maxLength: 4096, description: 'Inside the repository, with `/` between its parts.' })

export const getFile = defineOperation({
  name: 'repository.get-file',
  summary: 'Gives a file of a repository at a revision; of a link, where it leads to.',
  description: `Up to ${largestFile} bytes. Text that is UTF-8 comes as it is, anything else in base64.`,
  input: Closed({ repository: RepositoryMember, path: FilePath, revision: Type.Optional(RevisionMember) }),
  output: Closed({
    path: Type.String(),
    type: EntryType,
    mode: Type.String(),
    size: Type.Integer(),
    object: Type.String(),
    revision: Type.String({ description: 'The commit that it was read from.' }),
    encoding: OneOf(['utf-8', 'base64']),
    content: Type.String(),
  }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', path: 'README.md' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const path = trimmed(input.path)
    return onStorage(ctx, row, async () => {
      const revision = await commitOf(ctx, row, input.revision)
      const entry = revision === null ? null : await storageOf(ctx.services, row).entry(row.id, revision, path)
      if (revision === null || entry === null || (entry.type !== 'blob' && entry.type !== 'link')) throw noSuch('file', input.path)
      const bytes = await storageOf(ctx.services, row).blob(row.id, entry.oid, { limit: largestFile })
      if (bytes === null) {
        const first = `it has more than ${largestFile} bytes; clone the repository to read it`
        throw fault('content_invalid', { what: `The file "${path}"`, count: 1, first })
      }
      const text = utf8(bytes)
      return {
        path,
        type: words[entry.type],
        mode: entry.mode,
        size: bytes.length,
        object: entry.oid,
        revision,
        ...(text === null ? { encoding: 'base64' as const, content: bytes.toString('base64') } : { encoding: 'utf-8' as const, content: text }),
      }
    })
  },
})

export const listFiles = defineOperation({
  name: 'repository.list-files',
  summary: 'Lists what is in a folder of a repository at a revision, by path.',
  input: Closed({
    repository: RepositoryMember,
    path: Type.Optional(FilePath),
    revision: Type.Optional(RevisionMember),
    recursive: Type.Optional(Type.Boolean({ description: 'What is in folders of the folder as well.' })),
    ...listMembers,
  }),
  output: Closed({
    items: Type.Array(Closed({ path: Type.String(), type: EntryType, mode: Type.String(), size: Nullable(Type.Integer()), object: Type.String() })),
    next: Nullable(Type.String()),
    revision: Nullable(Type.String({ description: 'The commit that it was read from; null while the repository is empty.' })),
  }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', path: 'src' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const path = trimmed(input.path ?? '')
    const { limit, after } = pageRequest(input)
    return onStorage(ctx, row, async () => {
      const revision = after ? await commitOf(ctx, row, String(after[0])) : await commitOf(ctx, row, input.revision)
      if (revision === null) {
        if (path !== '') throw noSuch('folder', path)
        return { items: [], next: null, revision: null }
      }
      const top = await storageOf(ctx.services, row).entry(row.id, revision, path)
      if (top?.type !== 'tree') throw noSuch('folder', path)
      const behind = String(after?.[1] ?? '')
      const all = await entriesBelow(ctx, row, top.oid, path, input.recursive ?? false)
      const rest = all.filter((item) => item.path > behind).sort((a, b) => (a.path < b.path ? -1 : 1))
      const page = pageOf(rest.slice(0, limit + 1), limit, (item) => [revision, item.path])
      return { ...page, revision }
    })
  },
})

export const listTree = defineOperation({
  name: 'repository.list-tree',
  summary: 'Lists all folders and files below a folder of a repository at a revision, at once.',
  description: `Up to ${mostEntries} of them. Links count as files, submodules are left out.`,
  input: Closed({ repository: RepositoryMember, path: Type.Optional(FilePath), revision: Type.Optional(NumberedRevision) }),
  output: Closed({ folders: Type.Array(Type.String()), files: Type.Array(Type.String()), revision: Nullable(Type.String()) }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather', path: 'src' },
  async run(ctx, input, { repository }) {
    const { row } = repository
    const path = trimmed(input.path ?? '')
    return onStorage(ctx, row, async () => {
      const revision = await commitWithTree(ctx, row, input.revision)
      const top = revision === null ? null : await storageOf(ctx.services, row).entry(row.id, revision, path)
      if (revision === null && path === '') return { folders: [], files: [], revision }
      if (top?.type !== 'tree') throw noSuch('folder', path)
      const all = await entriesBelow(ctx, row, top.oid, path, true)
      const paths = (...types: Item['type'][]) => all.flatMap((item) => (types.includes(item.type) ? item.path : [])).sort()
      return { folders: paths('folder'), files: paths('file', 'link'), revision }
    })
  },
})

// Only what is a number costs the count of all commits.
async function commitWithTree(ctx: Ctx, row: ResourceRow, revision: string | undefined): Promise<string | null> {
  const numbered = revision !== undefined && /^(?:tip|-1|\d{1,11})$/.test(revision)
  return numbered ? (await numberedCommit(ctx, row, revision)).id : commitOf(ctx, row, revision)
}

type Item = { path: string; type: (typeof words)[CodeEntry['type']]; mode: string; size: number | null; object: string }

async function entriesBelow(ctx: Ctx, row: ResourceRow, tree: string, folder: string, deep: boolean): Promise<Item[]> {
  const items: Item[] = []
  const waiting = [{ tree, folder }]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const { name, type, mode, size, oid } of await storageOf(ctx.services, row).tree(row.id, next.tree)) {
      const path = next.folder ? `${next.folder}/${name}` : name
      items.push({ path, type: words[type], mode, size, object: oid })
      if (deep && type === 'tree') waiting.push({ tree: oid, folder: path })
    }
    // A small history can hold a tree that unfolds without end.
    if (items.length > mostEntries) {
      const first = `more than ${mostEntries} entries are below it; list its folders one by one, or clone the repository`
      throw fault('content_invalid', { what: `The folder "${folder}"`, count: 1, first })
    }
    ctx.signal.throwIfAborted()
  }
  return items
}

function noSuch(kind: 'file' | 'folder', path: string) {
  return fault('not_found', { kind, reference: path }, { private: { absence: 'missing', kind, reference: path, member: 'path' } })
}

function trimmed(path: string): string {
  return path.replace(/^\/+/, '').replace(/\/+$/, '')
}

function utf8(bytes: Buffer): string | null {
  try {
    return bytes.includes(0) ? null : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}
