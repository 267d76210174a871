import { lstat, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dirent } from 'node:fs'
import type { Found, Incoming } from '../../ports/incoming.ts'

const deepest = 20
const mostFolders = 20_000

/** The repositories below a folder, found by what is in them. Links are never followed; a folder that is not there holds none. */
function createIncoming({ root }: { readonly root: string }): Incoming {
  return {
    async list() {
      const found: Found[] = []
      const waiting: { path: string; depth: number }[] = [{ path: '', depth: 0 }]
      let seen = 0
      for (let next = waiting.pop(); next && seen < mostFolders; next = waiting.pop()) {
        seen++
        const entries = await entriesOf(join(root, next.path))
        const kind = next.path === '' ? null : kindOf(entries)
        if (kind !== null && kind !== 'other') found.push({ path: next.path, kind, folder: join(root, next.path) })
        if (kind !== null || next.depth >= deepest) continue
        for (const { name } of entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !entry.name.startsWith('rm__'))) {
          waiting.push({ path: next.path === '' ? name : `${next.path}/${name}`, depth: next.depth + 1 })
        }
      }
      return found.sort((a, b) => (a.path < b.path ? -1 : 1))
    },
    async taken({ folder }, id) {
      await rename(folder, join(root, `.taken-${id}`))
    },
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return (await lstat(folder)).isDirectory() ? await readdir(folder, { withFileTypes: true }) : []
  } catch {
    return []
  }
}

// What a folder is: a repository, one of git with a working copy, which is none of ours, or nothing but a folder.
function kindOf(entries: readonly Dirent[]): 'git' | 'hg' | 'other' | null {
  const folders = new Set(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name))
  if (folders.has('.hg')) return 'hg'
  if (entries.some(({ name }) => name === '.git')) return 'other'
  return folders.has('objects') && folders.has('refs') && entries.some((entry) => entry.isFile() && entry.name === 'HEAD') ? 'git' : null
}

export { createIncoming }
