import { readFile, stat } from 'node:fs/promises'
import { GitUnavailable } from '../../ports/git.ts'
import { isOid, isRefName } from './names.ts'
import { codeOf, storageError } from './storage.ts'

/**
 * Reads refs straight from their files. Asking a git process by name would guess: with `refs/heads/x` missing it goes on to `refs/heads/refs/heads/x`,
 * and takes `…-g<hex>` for an object. The format is ours to rely on because every repository is made from our own skeleton.
 *
 * The order (loose file first, then packed-refs) is git's own: packing writes packed-refs before it removes the loose file, so a ref that exists is
 * found by one of the two reads.
 */
type RefReader = {
  /** The object that a full ref name points at just now; null when there is no such ref. */
  read(directory: string, ref: string): Promise<string | null>
  /** The full name that HEAD points at. */
  head(directory: string): Promise<string>
  forget(directory: string): void
}

type Packed = { readonly version: string; readonly refs: ReadonlyMap<string, string> }

const keptFiles = 64

function createRefReader(): RefReader {
  const cache = new Map<string, Packed>()

  async function packed(directory: string): Promise<ReadonlyMap<string, string>> {
    const path = `${directory}/packed-refs`
    for (;;) {
      const version = await versionOf(path)
      if (version === null) return new Map()
      const known = cache.get(directory)
      if (known?.version === version) return known.refs
      const refs = parsePacked((await readFile(path, 'utf8').catch(absent)) ?? '')
      // Replaced while it was read: read the new one.
      if ((await versionOf(path)) !== version) continue
      cache.delete(directory)
      cache.set(directory, { version, refs })
      for (const oldest of cache.keys()) if (cache.size > keptFiles) cache.delete(oldest)
      return refs
    }
  }

  return {
    async read(directory, ref) {
      if (!isRefName(ref)) return null
      try {
        const text = await readFile(`${directory}/${ref}`, 'utf8').catch(absent)
        if (text !== null) {
          const oid = text.trimEnd()
          if (!isOid(oid)) throw new GitUnavailable(`the ref ${ref} is not an object id`)
          return oid
        }
        const oid = (await packed(directory)).get(ref)
        if (oid !== undefined) return oid
        await stat(`${directory}/HEAD`)
        return null
      } catch (error) {
        throw storageError(error)
      }
    },
    async head(directory) {
      const text = await readFile(`${directory}/HEAD`, 'utf8').catch((error: unknown) => {
        throw storageError(error)
      })
      const ref = /^ref: (\S+)\n?$/.exec(text)?.[1]
      if (ref === undefined || !isRefName(ref)) throw new GitUnavailable('HEAD does not name a ref')
      return ref
    },
    forget: (directory) => void cache.delete(directory),
  }
}

async function versionOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${ino}-${size}-${mtimeNs}`
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

// ENOTDIR and EISDIR: `refs/heads/a` is asked for and `refs/heads/a/b` exists, or the other way round.
function absent(error: unknown): null {
  if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')) return null
  throw error
}

function parsePacked(text: string): Map<string, string> {
  const refs = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || line.startsWith('^')) continue
    const oid = line.slice(0, 40)
    if (isOid(oid) && line[40] === ' ') refs.set(line.slice(41), oid)
  }
  return refs
}

export type { RefReader }
export { createRefReader }
