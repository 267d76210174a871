import { problemsFault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Static } from '../kernel/schema.ts'

const mostFiles = 100
const mostBytes = 2 * 1024 * 1024
const longestName = 255

const File = Closed({ name: Type.String({ description: 'A bare file name.' }), text: Type.String() })

/** The files of an input. Text only; how many and how much is checked by `checkFiles`. */
const FilesMember = Type.Array(File, { maxItems: mostFiles, description: `At most ${mostFiles}, of ${mostBytes} bytes together.` })

// What would lead elsewhere, and what cannot be seen: two names that look the same must be the same.
const forbidden = /[/\\]|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** Refuses files that a gist cannot hold: `invalid_input` with all problems. */
function checkFiles(operation: string, files: readonly Static<typeof File>[]): void {
  const problems: Problem[] = []
  const names = new Set<string>()
  for (const [index, { name }] of files.entries()) {
    const why = names.has(name) ? 'is the name of another file as well' : nameProblem(name)
    names.add(name)
    if (why !== null) problems.push({ path: `/files/${index}/name`, code: 'file_name', message: why })
  }
  const bytes = files.reduce((sum, { name, text }) => sum + Buffer.byteLength(name) + Buffer.byteLength(text), 0)
  if (bytes > mostBytes) problems.push({ path: '/files', code: 'size', message: `has ${bytes} bytes, more than ${mostBytes}` })
  if (problems.length > 0) throw problemsFault('invalid_input', operation, problems)
}

function nameProblem(name: string): string | null {
  if (name === '') return 'is empty'
  if (name.startsWith('.')) return 'begins with a dot'
  if (forbidden.test(name)) return 'has a slash, or control or invisible characters'
  return Buffer.byteLength(name) > longestName ? `is longer than ${longestName} bytes` : null
}

export { File, FilesMember, checkFiles }
