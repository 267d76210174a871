import { readTree } from './objects.ts'
import type { ObjectHeader } from './cat-file.ts'
import type { Objects, ObjectSource, TreeEntry } from './objects.ts'

type ObjectCache = {
  /** What is known of an object of a repository under a kind of knowledge, or undefined. */
  get<T>(directory: string, key: string): T | undefined
  /** Keeps it; `bytes` is about what it takes. */
  put(directory: string, key: string, value: unknown, bytes: number): void
  /** Forgets a repository that is going away. */
  forget(directory: string): void
}

type Kept = { readonly value: unknown; readonly bytes: number }

// What an entry of the map takes besides its value.
const overhead = 200

/**
 * Remembers what objects hold, those used last and `largest` bytes at most. An id is the digest of what it names, so nothing that is remembered can become
 * wrong; what a name means just now is not kept here. Kept by repository: that somebody may read an object in one says nothing of another.
 */
function createObjectCache({ largest }: { largest: number }): ObjectCache {
  const kept = new Map<string, Kept>()
  let total = 0

  function drop(key: string, { bytes }: Kept): void {
    kept.delete(key)
    total -= bytes
  }

  return {
    get<T>(directory: string, key: string): T | undefined {
      const full = `${directory} ${key}`
      const found = kept.get(full)
      if (found === undefined) return undefined
      kept.delete(full)
      kept.set(full, found)
      return found.value as T // each kind of key is written with one type, by this folder only
    },
    put(directory, key, value, bytes) {
      const full = `${directory} ${key}`
      const before = kept.get(full)
      if (before) drop(full, before)
      const item = { value, bytes: bytes + overhead }
      // One large thing must not push out everything else.
      if (item.bytes > largest / 8) return
      kept.set(full, item)
      total += item.bytes
      for (const [oldest, old] of kept) {
        if (total <= largest) break
        drop(oldest, old)
      }
    },
    forget(directory) {
      for (const [key, item] of kept) if (key.startsWith(`${directory} `)) drop(key, item)
    },
  }
}

/** Objects of a repository: what is known from the cache, the rest from a reader that `lend` lends for as long as it is needed. */
function cachedObjects(cache: ObjectCache, directory: string, lend: <T>(work: (reader: ObjectSource) => Promise<T>) => Promise<T>): Objects {
  const info: Objects['info'] = async (oid, peel = '') => {
    const key = `info ${oid}${peel}`
    const known = cache.get<ObjectHeader>(directory, key)
    if (known) return known
    const header = await lend((reader) => reader.info(oid, peel))
    // What is missing may come with the next push.
    if (header !== null) cache.put(directory, key, header, 100)
    return header
  }
  const whole: Objects['whole'] = async (oid, options) => {
    const key = `${options.type} ${oid}`
    const known = cache.get<Buffer>(directory, key)
    // A copy: what is kept must not change when somebody writes into what was given.
    if (known && known.length <= options.limit) return Buffer.from(known)
    const bytes = await lend((reader) => reader.whole(oid, options))
    if (bytes !== null) cache.put(directory, key, Buffer.from(bytes), bytes.length)
    return bytes
  }
  const children = async (oid: string): Promise<ReadonlyMap<string, TreeEntry>> => {
    const known = cache.get<ReadonlyMap<string, TreeEntry>>(directory, `children ${oid}`)
    if (known) return known
    const entries = await lend((reader) => readTree(reader, oid))
    // Of two entries of one name the first counts, as it does for git.
    const byName = new Map(entries.toReversed().map((entry) => [entry.name.toString('latin1'), entry]))
    cache.put(
      directory,
      `children ${oid}`,
      byName,
      entries.reduce((bytes, { name }) => bytes + 300 + name.length, 0),
    )
    return byName
  }
  return {
    info,
    whole,
    child: async (tree, name) => (await children(tree)).get(Buffer.from(name, 'utf8').toString('latin1')) ?? null,
  }
}

export type { ObjectCache }
export { createObjectCache, cachedObjects }
