import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'

const root = dirname(findPackageJSON(import.meta.url) ?? import.meta.dirname)
const ending = extname(import.meta.filename)

/** The path of a file that belongs to Capstan and that no build moves, from its path in the repository. */
function ownFile(path: string): string {
  return join(root, path)
}

/** The path of a program of ours that runs by itself, from its path under `src` without an ending: TypeScript when we run from source, or what the build made. */
function ownProgram(name: string): string {
  return join(root, ending === '.ts' ? 'src' : 'dist', `${name}${ending}`)
}

export { ownFile, ownProgram }
