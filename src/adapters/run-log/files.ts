import { createHash } from 'node:crypto'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { watch } from 'node:fs'
import { join } from 'node:path'
import type { FileHandle } from 'node:fs/promises'
import type { FSWatcher } from 'node:fs'
import type { LogName, RunLog } from '../../ports/run-log.ts'

const mostOpen = 64
const tellAfterMs = 20

/**
 * Run logs as plain files below `root`, one for each step attempt: `<2 hex>/<run>/<step>-<attempt>.log`. A file is made by its first byte. Followers in this
 * process are told directly; those of another server on the same folder through the file system.
 */
function createFileRunLog(options: { root: string }): RunLog {
  const handles = new Map<string, Promise<FileHandle>>()
  const listeners = new Map<string, Set<() => void>>()
  const tails = new Map<string, Promise<unknown>>()
  const told = new Map<string, NodeJS.Timeout>()

  const folderOf = (run: string) => join(options.root, digest(run).slice(0, 2), safe(run))
  const pathOf = (log: LogName) => join(folderOf(log.run), `${safe(log.step)}-${log.attempt}.log`)

  async function handleOf(path: string, folder: string): Promise<FileHandle> {
    const known = handles.get(path)
    if (known) {
      handles.delete(path)
      handles.set(path, known)
      return known
    }
    const opened = mkdir(folder, { recursive: true, mode: 0o700 }).then(() => open(path, 'a', 0o600))
    handles.set(path, opened)
    opened.catch(() => handles.delete(path))
    for (const [oldest, handle] of handles) {
      if (handles.size <= mostOpen) break
      // Closed behind its last write: appends of one log stand in one line.
      await inLine(oldest, async () => {
        handles.delete(oldest)
        await handle.then((file) => file.close()).catch(() => {})
      })
    }
    return opened
  }

  function inLine<T>(path: string, work: () => Promise<T>): Promise<T> {
    const next = (tails.get(path) ?? Promise.resolve()).then(work, work)
    tails.set(path, next)
    void next.catch(() => {}).then(() => tails.get(path) === next && tails.delete(path))
    return next
  }

  function tell(path: string): void {
    if (!listeners.has(path) || told.has(path)) return
    const timer = setTimeout(() => {
      told.delete(path)
      for (const listener of listeners.get(path) ?? []) listener()
    }, tellAfterMs)
    timer.unref()
    told.set(path, timer)
  }

  return {
    async append(log, bytes) {
      const path = pathOf(log)
      await handleOf(path, folderOf(log.run))
      return inLine(path, async () => {
        const file = await (handles.get(path) ?? open(path, 'a', 0o600))
        await file.appendFile(bytes)
        tell(path)
        return (await file.stat()).size
      })
    },
    size: (log) =>
      stat(pathOf(log)).then(
        (found) => found.size,
        () => 0,
      ),
    async read(log, { offset, limit }) {
      let file: FileHandle
      try {
        file = await open(pathOf(log), 'r')
      } catch {
        return new Uint8Array(0)
      }
      try {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(limit), 0, limit, offset)
        return buffer.subarray(0, bytesRead)
      } finally {
        await file.close()
      }
    },
    watch(log, listener) {
      const path = pathOf(log)
      const set = listeners.get(path) ?? new Set()
      listeners.set(path, set.add(listener))
      let watcher: FSWatcher | null = null
      try {
        watcher = watch(path, () => tell(path))
        watcher.unref()
        watcher.on('error', () => watcher?.close())
      } catch {} // Not made yet: this process tells, or the follower looks again by itself.
      return () => {
        watcher?.close()
        set.delete(listener)
        if (set.size === 0) listeners.delete(path)
      }
    },
    async finish(log) {
      // Most steps say nothing, and nobody follows them.
      if (handles.size === 0 && listeners.size === 0) return
      const path = pathOf(log)
      const handle = handles.get(path)
      if (!handle) return tell(path)
      await inLine(path, async () => {
        handles.delete(path)
        await handle.then((file) => file.close()).catch(() => {})
      })
      tell(path)
    },
    remove: (run) => rm(folderOf(run), { recursive: true, force: true }),
    async close() {
      for (const timer of told.values()) clearTimeout(timer)
      await Promise.all([...handles.keys()].map((path) => inLine(path, async () => (await handles.get(path))?.close())))
      handles.clear()
    },
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

// Step names come from users: what is not plainly harmless is replaced by a digest, so that two names never share a file.
function safe(name: string): string {
  return /^[A-Za-z0-9_][A-Za-z0-9_-]{0,80}$/.test(name) ? name : `x-${digest(name).slice(0, 32)}`
}

export { createFileRunLog }
