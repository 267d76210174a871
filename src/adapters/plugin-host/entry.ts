import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PluginRefused } from '../../ports/plugin-host.ts'

/** How a package is begun: the folder that it works in, the file below that, and what runs the file. */
type Entry = {
  /** Relative to the package: '' or the folder that a generation of packages has around it. It is what the program works in. */
  readonly folder: string
  /** Relative to that folder, as the next one. */
  readonly file: string
  /** Where its modules are looked for. */
  readonly imports: readonly string[]
  readonly runner: { readonly kind: 'node' | 'itself' } | { readonly kind: 'shell'; readonly program: string } | PythonRunner
}

/** `version`: the interpreter that the first line asks for, by a name with two numbers; null: any will do. */
type PythonRunner = { readonly kind: 'python'; readonly version: string | null }

// Three generations of packages put their entry point at different places; the name of the file says nothing.
const folders = ['', 'python/src', 'workspace'] as const
// The third has programs apart from the modules that they load.
const apart = 'usr/local/bin'

/** The entry point of a package: the only file in its `bin`. Throws `PluginRefused`. */
function findEntry(packageFolder: string): Entry {
  for (const folder of folders) {
    const file = onlyFile(packageFolder, join(folder, 'bin'))
    if (file !== null) return { folder, file: join('bin', file), imports: [''], runner: runnerOf(join(packageFolder, folder, 'bin', file)) }
  }
  const file = onlyFile(packageFolder, apart)
  if (file === null) throw new PluginRefused('The package has no entry point. Put the program that is run into its folder "bin".')
  return { folder: '', file: join(apart, file), imports: [...folders, 'usr/local'], runner: runnerOf(join(packageFolder, apart, file)) }
}

/** The file to run in this folder; null when it is empty or not there. Throws `PluginRefused` when nothing tells which. */
function onlyFile(packageFolder: string, folder: string): string | null {
  const files = filesOf(join(packageFolder, folder))
  const named = files.filter((name) => /^(komand|icon)_/.test(name))
  const [file, second] = files.length > 1 && named.length > 0 ? named : files
  if (second !== undefined) throw new PluginRefused(`"${folder}" holds ${files.length} files. A package has one entry point there.`)
  return file ?? null
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.') && !name.endsWith('.pyc') && statSync(join(folder, name)).isFile())
  } catch {
    return []
  }
}

function runnerOf(path: string): Entry['runner'] {
  const head = headOf(path)
  const line = /^#!\s*(\S+)(?:[ \t]+(?:-S[ \t]+)?(\S+))?/.exec(head)
  const program = line?.[1]?.endsWith('/env') ? line[2] : line?.[1]
  const name = program?.split('/').at(-1) ?? ''
  if (/^python[\d.]*$/.test(name) || path.endsWith('.py'))
    return { kind: 'python', version: /^python\d+\.\d+$/.test(name) ? (program ?? null) : null }
  if (name === 'node' || /\.[cm]?[jt]s$/.test(path)) return { kind: 'node' }
  // Written without its first line by some: then it is what it looks like.
  if (!line && /^(import|from) /m.test(head)) return { kind: 'python', version: null }
  if (program && /^(ba|da|z|k)?sh$/.test(name)) return { kind: 'shell', program }
  return { kind: 'itself' }
}

function headOf(path: string): string {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(2048)
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(descriptor)
  }
}

export type { Entry }
export { findEntry }
