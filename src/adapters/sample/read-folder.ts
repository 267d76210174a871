import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** A file of a folder: its path inside of it with `/` as separator, and what is in it. */
type FolderFile = { readonly path: string; readonly content: Buffer; readonly executable: boolean }

/** All regular files below a folder, in the order of their paths. */
async function readFolder(folder: string): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(
    paths.sort().map(async (path) => ({
      path: relative(folder, path).split(sep).join('/'),
      content: await readFile(path),
      executable: ((await stat(path)).mode & 0o100) !== 0,
    })),
  )
}

export type { FolderFile }
export { readFolder }
