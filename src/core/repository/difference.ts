import { Closed, Nullable, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { fault } from '../kernel/fault.ts'
import { noCommit, streamMs } from './archive.ts'
import { storageOf } from './code.ts'
import { RepositoryMember, RevisionMember } from './inputs.ts'
import { lastSegment } from './names.ts'
import { onStorage } from './on-storage.ts'
import { deliver, OutletMember } from './outlet.ts'
import { commitOf } from './revision.ts'
import type { CodeBytes } from '../../ports/code-streams.ts'

const largestText = 5 * 1024 * 1024

const getDifference = defineOperation({
  name: 'repository.get-diff',
  summary: 'Gives what a commit changes against its first parent, in the form of git.',
  description: `As a patch with who made it, when and why in front: what \`git am\` or \`hg import\` take in. Up to ${largestText} bytes.`,
  input: Closed({ repository: RepositoryMember, revision: RevisionMember, form: Type.Optional(OneOf(['diff', 'patch'])), outlet: OutletMember }),
  output: Closed({ commit: Type.String(), text: Nullable(Type.String({ description: 'Bytes that are no UTF-8 are replaced.' })) }),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  deadlineMs: streamMs,
  example: { repository: 'lab/weather', revision: 'main' },
  async run(ctx, { revision, form = 'diff', outlet }, { repository: { row } }) {
    const storage = storageOf(ctx.services, row)
    const commit = await onStorage(ctx, row, () => commitOf(ctx, row, revision))
    if (commit === null) throw noCommit(row.name)
    const bytes = () => storage.difference(row.id, commit, { form, signal: ctx.signal })
    if (outlet) {
      await deliver(ctx, row, outlet(), { name: `${lastSegment(row.name)}-${commit.slice(0, 12)}.${form}`, commit, bytes: null }, bytes)
      return { commit, text: null }
    }
    return { commit, text: await onStorage(ctx, row, async () => textOf(await bytes(), `The ${form} of ${commit}`)) }
  },
})

async function textOf(bytes: CodeBytes, what: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop early ends what makes the bytes.
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > largestText)
      throw fault('content_invalid', { what, count: 1, first: `it has more than ${largestText} bytes; clone the repository to read it` })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

export { getDifference }
