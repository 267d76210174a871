import { lstat, readdir, stat, symlink, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { absent } from './tar-writer.ts'
import type { TarWriter } from './tar-writer.ts'

const folderMode = 0o700
const mostWaits = 600
const waitMs = 100
// Locks, drafts, what the last transaction kept, and configuration, which is never anybody's here.
const passing = /^(w?lock|journal.*|undo.*|hgrc.*|capstan-refs\..*)$/

/** Whether a folder holds a Mercurial repository. */
async function isHgRepository(folder: string): Promise<boolean> {
  return (await lstat(`${folder}/.hg`).catch(absent))?.isDirectory() ?? false
}

/**
 * Adds one Mercurial repository while it may be pushed to: its files are read under Mercurial's own lock, for which pushes wait. False when it is not there, or
 * was never finished.
 */
async function addHgRepository(tar: TarWriter, name: string, folder: string): Promise<boolean> {
  const release = await lock(`${folder}/.hg/store/lock`)
  if (release === null) return false
  try {
    // Cut off in the middle of a change: a copy of it would have to be rolled back, and a push or the next start does that here.
    if (await lstat(`${folder}/.hg/store/journal`).catch(absent))
      throw new Error(`The repository ${name} was left in the middle of a change. Start the server once, and try again.`)
    const pending = ['']
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { mtime } = await stat(`${folder}${next}`)
      await tar.addFolder(`${name}${next}`, { mode: folderMode, mtime })
      const entries = await readdir(`${folder}${next}`, { withFileTypes: true })
      for (const entry of entries) {
        if (passing.test(entry.name)) continue
        if (entry.isDirectory()) pending.push(`${next}/${entry.name}`)
        else if (entry.isFile()) await tar.addFile(`${name}${next}/${entry.name}`, `${folder}${next}/${entry.name}`)
      }
    }
    return true
  } finally {
    await release()
  }
}

/** Mercurial's own lock: a link that names the machine, its process namespace and the process that holds it. Null when there is no storage. */
async function lock(path: string): Promise<(() => Promise<void>) | null> {
  const namespace = await stat('/proc/self/ns/pid').catch(() => null)
  const holder = `${hostname()}${namespace ? `/${namespace.ino.toString(16)}` : ''}:${process.pid}`
  for (let round = 0; round < mostWaits; round++) {
    try {
      await symlink(holder, path)
      return () => unlink(path)
    } catch (error) {
      const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null
      if (code === 'ENOENT' || code === 'ENOTDIR') return null
      if (code !== 'EEXIST') throw error
      await wait(waitMs)
    }
  }
  throw new Error(`Another program holds ${path}. Try again when it has ended.`)
}

export { isHgRepository, addHgRepository }
