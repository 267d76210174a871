import { closeSync, fchownSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../../../ports/runtime.ts'
import type { Folder } from './folder.ts'

/** Where programs are looked for, by us and by work that sets no PATH of its own. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The descriptor of a nameless file with the work's environment as assignments for a shell, readable by its user only. A file without a name leaves nothing
 * behind when the server is killed, and neither a command line nor the environment of a privileged process ever holds it: one `LD_PRELOAD` there would run
 * a user's code with the server's rights. The caller closes it.
 */
function openEnvironment(folder: Folder, environment: Readonly<Record<string, string>>, uid: number | null): number {
  const text = Object.entries(environment).map(assignment).join('')
  const path = join(folder.path, 'environment')
  const descriptor = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
    if (uid !== null) fchownSync(descriptor, uid, uid)
    writeSync(descriptor, text, 0)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return descriptor
}

function assignment([name, value]: [string, string]): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new StartError(`The variable "${name}" cannot be set: names are letters, digits and "_", and begin with no digit.`, { retry: false })
  }
  if (value.includes('\0')) throw new StartError(`The variable "${name}" holds a zero byte. Remove it.`, { retry: false })
  return `export ${name}=${quoted(value)}\n`
}

/** A text as one word of a shell that stands for nothing but itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

export { searchPath, openEnvironment, quoted }
