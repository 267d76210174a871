import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { archiveFormats } from '../../ports/code-streams.ts'
import { storageOf } from './code.ts'
import { RepositoryMember, RevisionMember } from './inputs.ts'
import { lastSegment } from './names.ts'
import { onStorage } from './on-storage.ts'
import { deliver, OutletMember, outletOf } from './outlet.ts'
import { commitOf } from './revision.ts'
import { specOf } from './spec.ts'

/** Making and sending an archive may take as long as a clone. */
const streamMs = 60 * 60 * 1000

const archiveRepository = defineOperation({
  name: 'repository.archive',
  summary: 'Sends all files of a repository at a revision as an archive.',
  description: 'Only where the repository offers downloads. Its files are below a folder of the name of the repository and of the commit.',
  input: Closed({
    repository: RepositoryMember,
    revision: Type.Optional(RevisionMember),
    format: OneOf(archiveFormats),
    outlet: OutletMember,
  }),
  output: Closed({}),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  hidden: true,
  deadlineMs: streamMs,
  example: { repository: 'lab/weather', format: 'zip' },
  async run(ctx, { revision, format, outlet: given }, { repository: { row } }) {
    if (!specOf(row).downloads) {
      const why = 'downloads are switched off; clone the repository, or ask its owner to switch them on'
      throw fault('unsupported', { what: `An archive of "${row.name}"`, why }, { private: { note: 'downloads' } })
    }
    const outlet = outletOf('repository.archive', given, `get it from /${row.name}/archive/<revision>.${format}`)
    const commit = await onStorage(ctx, row, () => commitOf(ctx, row, revision))
    if (commit === null) throw noCommit(row.name)
    const prefix = `${lastSegment(row.name)}-${commit.slice(0, 12)}`
    const options = { format, prefix, signal: ctx.signal }
    await deliver(ctx, row, outlet, { name: `${prefix}.${format}`, commit, bytes: null }, () =>
      storageOf(ctx.services, row).archive(row.id, commit, options),
    )
    return {}
  },
})

/** The fault of a repository that is empty. */
function noCommit(path: string) {
  const context = { absence: 'missing', kind: 'revision', reference: '', member: 'revision' } as const
  return fault('not_found', { kind: 'commit of the repository', reference: path }, { private: context })
}

export { archiveRepository, noCommit, streamMs }
