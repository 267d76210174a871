import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** All files, links and folders below a folder, by path. Links are not followed, and what goes away meanwhile is left out. */
export function pathsBelow(folder: string): { path: string; isFile: boolean }[] {
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name)
    return [{ path, isFile: entry.isFile() }, ...(entry.isDirectory() ? pathsBelow(path) : [])]
  })
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
