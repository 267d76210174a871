import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { streamMs } from './archive.ts'
import { storageOf } from './code.ts'
import { RepositoryMember, RevisionMember } from './inputs.ts'
import { lastSegment } from './names.ts'
import { onStorage } from './on-storage.ts'
import { deliver, OutletMember, outletOf } from './outlet.ts'
import { commitOf } from './revision.ts'
import type { CodeEntry, CodeStorage } from '../../ports/code-storage.ts'

// Up to here a file is read by a program that is there already; beyond, one of its own sends it piece by piece.
const largestWhole = 1024 * 1024

const readFile = defineOperation({
  name: 'repository.read-file',
  summary: 'Sends a file of a repository at a revision, however large; of a link, where it leads to.',
  input: Closed({
    repository: RepositoryMember,
    path: Type.String({ maxLength: 4096 }),
    revision: Type.Optional(RevisionMember),
    outlet: OutletMember,
  }),
  output: Closed({}),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  hidden: true,
  deadlineMs: streamMs,
  example: { repository: 'lab/weather', path: 'README.md' },
  async run(ctx, { path, revision, outlet: given }, { repository: { row } }) {
    const outlet = outletOf('repository.read-file', given, 'use repository.get-file')
    const storage = storageOf(ctx.services, row)
    const { commit, entry } = await onStorage(ctx, row, async () => {
      const at = await commitOf(ctx, row, revision)
      return { commit: at, entry: at === null ? null : await storage.entry(row.id, at, path) }
    })
    if (commit === null || !entry || (entry.type !== 'blob' && entry.type !== 'link')) {
      throw fault('not_found', { kind: 'file', reference: path }, { private: { absence: 'missing', kind: 'file', reference: path, member: 'path' } })
    }
    await deliver(ctx, row, outlet, { name: lastSegment(path), commit, bytes: entry.size }, () => bytesOf(storage, row.id, entry, ctx.signal))
    return {}
  },
})

async function bytesOf(storage: CodeStorage, id: string, { oid, size }: CodeEntry, signal: AbortSignal): Promise<AsyncIterableIterator<Uint8Array>> {
  const whole = size === null || size > largestWhole ? null : await storage.blob(id, oid, { limit: largestWhole })
  return whole === null ? storage.content(id, oid, { signal }) : once(whole)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export { readFile }
