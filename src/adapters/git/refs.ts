import { readdir, readFile, stat } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../core/kernel/clock.ts'
import { GitUnavailable } from '../../ports/git.ts'
import { isOid, isRefName } from './names.ts'
import { codeOf } from '../code/folders.ts'
import { storageError } from './storage.ts'

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
  /** The objects that refs of any kind point at just now, each once; null when git should be asked: too many files, or something else than refs among them. */
  objects(directory: string): Promise<ReadonlySet<string> | null>
  forget(directory: string): void
}

type Packed = { readonly version: string; readonly refs: ReadonlyMap<string, string> }
type Loose = { readonly version: string; readonly oid: string }
type Version = { readonly text: string; readonly changedAt: number }

const keptFiles = 64
const keptRefs = 1000
// Beyond so many files one process is faster than a look at each.
const mostLoose = 200
// Clocks of file systems tick in milliseconds: a file that changes again in the tick it was read in can look the same.
const settledMs = 2000

function createRefReader(clock: Clock): RefReader {
  const cache = new Map<string, Packed>()
  const known = new Map<string, Loose>()
  const settled = ({ changedAt }: Version) => clock.now() - changedAt > settledMs

  // Nothing but a rename changes a ref, so that a file which looks the same still says the same: one look instead of opening and reading it.
  async function loose(path: string): Promise<string | null> {
    const before = await versionOf(path)
    const kept = before && known.get(path)
    if (before === null) return null
    if (kept && kept.version === before.text) return kept.oid
    const text = await readFile(path, 'utf8').catch(absent)
    if (text === null) return null
    const oid = text.trimEnd()
    if (!isOid(oid)) throw new GitUnavailable(`the ref ${path} is not an object id`)
    if (settled(before) && (await versionOf(path))?.text === before.text) keep(known, path, { version: before.text, oid }, keptRefs)
    return oid
  }

  async function packed(directory: string): Promise<ReadonlyMap<string, string>> {
    const path = `${directory}/packed-refs`
    for (;;) {
      const version = await versionOf(path)
      if (version === null) return new Map()
      const kept = cache.get(directory)
      if (kept?.version === version.text) return kept.refs
      const refs = parsePacked((await readFile(path, 'utf8').catch(absent)) ?? '')
      // Replaced while it was read: read the new one.
      if ((await versionOf(path))?.text !== version.text) continue
      if (settled(version)) keep(cache, directory, { version: version.text, refs }, keptFiles)
      return refs
    }
  }

  async function everyOne(directory: string): Promise<ReadonlySet<string> | null> {
    const names = await looseNames(directory)
    if (names === null) return null
    const found = new Map<string, string>()
    for (const [ref, oid] of await Promise.all(names.map(async (ref) => [ref, await loose(`${directory}/${ref}`)] as const)))
      if (oid !== null) found.set(ref, oid)
    const oids = new Set(found.values())
    for (const [ref, oid] of await packed(directory)) if (!found.has(ref)) oids.add(oid)
    return oids
  }

  const asked = shared(async (directory: string, ref: string) => {
    const oid = (await loose(`${directory}/${ref}`)) ?? (await packed(directory)).get(ref)
    if (oid !== undefined) return oid
    await stat(`${directory}/HEAD`)
    return null
  })

  return {
    async read(directory, ref) {
      if (!isRefName(ref)) return null
      try {
        return await asked(directory, ref)
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
    objects: (directory) => everyOne(directory).catch(() => null),
    forget(directory) {
      cache.delete(directory)
      for (const path of known.keys()) if (path.startsWith(`${directory}/`)) known.delete(path)
    },
  }
}

/** Names of the refs that have a file of their own; null when they are too many. */
async function looseNames(directory: string): Promise<string[] | null> {
  const names: string[] = []
  const folders = ['refs']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(`${directory}/${folder}`, { withFileTypes: true })
    for (const entry of entries) {
      const name = `${folder}/${entry.name}`
      if (entry.isDirectory()) folders.push(name)
      else if (!name.endsWith('.lock')) names.push(name)
    }
    if (names.length + folders.length > mostLoose) return null
  }
  return names
}

/** Shares reads of one ref among all who ask before it begins: nobody is told what was read before the question. */
function shared<T>(read: (directory: string, ref: string) => Promise<T>): (directory: string, ref: string) => Promise<T> {
  const soon = new Map<string, Promise<T>>()
  return (directory, ref) => {
    const path = `${directory}/${ref}`
    const known = soon.get(path)
    if (known) return known
    const next = turn().then(() => {
      soon.delete(path)
      return read(directory, ref)
    })
    soon.set(path, next)
    return next
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= most) break
    map.delete(oldest)
  }
}

async function versionOf(path: string): Promise<Version | null> {
  const found = await stat(path, { bigint: true }).catch(absent)
  return found && { text: `${found.ino}-${found.size}-${found.mtimeNs}-${found.ctimeNs}`, changedAt: Number(found.mtimeMs) }
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
