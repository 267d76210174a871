import type { CodeBytes, CodeStreams } from '../../ports/code-streams.ts'
import { GitContentRefused } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { Exchange } from './exchange.ts'
import type { Gate } from '../code/gate.ts'
import { isOid } from './names.ts'
import { gzipped, packedBy } from './packer.ts'
import { streamed } from './upload.ts'

type Streaming = { readonly host: GitHost; readonly gate: Gate; readonly at: (id: string) => string; readonly stallMs: number }

// Larger files go through in pieces, and count as binary in a diff. Attributes in a commit can ask for a signature to be checked: by nobody.
const settings = [
  'core.bigFileThreshold=16m',
  'gpg.program=/bin/false',
  'gpg.ssh.program=/bin/false',
  'gpg.x509.program=/bin/false',
  'diff.renameLimit=400',
].flatMap((setting) => ['-c', setting])

const differenceOptions = ['--no-ext-diff', '--no-textconv', '--no-color', '--no-notes', '--no-show-signature', '--full-index', '--binary', '-M']
const headOf = { diff: ['--format='], patch: ['--format=email', '--patch-with-stat'] } as const

/** What git gives piece by piece. */
function createStreams({ host, gate, at, stallMs }: Streaming): CodeStreams {
  async function started(id: string, args: readonly string[], signal: AbortSignal): Promise<CodeBytes> {
    const directory = at(id)
    const leave = await gate.enter(signal)
    try {
      const exchange = new Exchange(host, { args: [`--git-dir=${directory}`, ...settings, ...args], directory, extra: {}, signal, stallMs })
      await exchange.feed(null, null, { limit: 0 })
      return await streamed(exchange, null, leave)
    } catch (error) {
      leave()
      throw error
    }
  }
  return {
    content: (id, oid, { signal }) => started(id, ['cat-file', 'blob', objectOf(oid)], signal),
    async archive(id, commit, { format, prefix, signal }) {
      const kind = format === 'zip' ? 'zip' : 'tar'
      const bytes = await started(id, ['archive', `--format=${kind}`, `--prefix=${prefix}/`, objectOf(commit)], signal)
      if (format === 'tar.bz2') return packedBy(host, 'bzip2', bytes)
      return format === 'tar.gz' ? gzipped(bytes) : bytes
    },
    difference: (id, commit, { form, signal }) =>
      started(id, ['show', ...headOf[form], '--diff-merges=first-parent', ...differenceOptions, objectOf(commit), '--'], signal),
  }
}

function objectOf(oid: string): string {
  if (!isOid(oid)) throw new GitContentRefused('it is no object id')
  return oid
}

export { createStreams }
