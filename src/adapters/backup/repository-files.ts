import { lstat, readdir, readFile } from 'node:fs/promises'
import { absent } from './tar-writer.ts'
import type { TarWriter } from './tar-writer.ts'

const mostRounds = 20
const folderMode = 0o700
// What a git at work leaves for a moment: locks, quarantines, unfinished packs, reports of crashes.
const passing = /\.(lock|keep)$|^(tmp_|incoming-|fast_import_crash_)|^packed-refs\.new$/

/**
 * Adds one bare repository while it may be pushed to. Its refs are read before its objects: git writes objects first, so everything that the refs name is
 * then there. Loose refs come before packed ones, in the order in which packing moves them. `places` are where it may be, in turn: a deletion moves it aside.
 * False when it is at none of them.
 */
async function addRepository(tar: TarWriter, name: string, places: readonly string[]): Promise<boolean> {
  const at = await placeOf(places)
  if (at === null) return false
  const { mtime } = await lstat(at)
  const refs = await readAll(at, 'refs')
  const top = (await entriesOf(at)).filter((entry) => entry.isFile() && !passing.test(entry.name)).map((entry) => entry.name)
  const rest = await Promise.all([...top, 'packed-refs'].map(async (file) => [file, await readFile(`${at}/${file}`).catch(absent)] as const))
  if (!rest.some(([file, bytes]) => file === 'HEAD' && bytes !== null)) return false
  for (const folder of ['', '/refs', '/refs/heads', '/refs/tags', '/objects', '/objects/info', '/objects/pack'])
    await tar.addFolder(`${name}${folder}`, { mode: folderMode, mtime })
  for (const [file, bytes] of new Map([...rest, ...refs])) if (bytes !== null) await tar.addBytes(`${name}/${file}`, bytes, { mode: 0o600, mtime })
  await addObjects(tar, name, places)
  return true
}

// A pack may be replaced by another one while we read: then the new one is found by looking again.
async function addObjects(tar: TarWriter, name: string, places: readonly string[]): Promise<void> {
  const added = new Set<string>()
  for (let round = 0, missed = true; missed; round++) {
    if (round === mostRounds) throw new Error(`The repository ${name} changes faster than it can be read. Try again at a quieter time.`)
    missed = false
    const at = await placeOf(places)
    // Deleted for good meanwhile, and of no use to anybody.
    if (at === null) return
    for (const path of await pathsBelow(at, 'objects')) {
      if (added.has(path)) continue
      if (await tar.addFile(`${name}/${path}`, `${at}/${path}`)) added.add(path)
      else missed = true
    }
  }
}

async function placeOf(places: readonly string[]): Promise<string | null> {
  for (const place of places) if ((await lstat(place).catch(absent))?.isDirectory()) return place
  return null
}

async function readAll(at: string, folder: string): Promise<[string, Buffer | null][]> {
  const paths = await pathsBelow(at, folder)
  return Promise.all(paths.map(async (path): Promise<[string, Buffer | null]> => [path, await readFile(`${at}/${path}`).catch(absent)]))
}

/** Paths of all files below a folder that are there to stay. */
async function pathsBelow(at: string, folder: string): Promise<string[]> {
  const found: string[] = []
  const pending = [folder]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await entriesOf(`${at}/${next}`)) {
      if (passing.test(entry.name)) continue
      if (entry.isDirectory()) pending.push(`${next}/${entry.name}`)
      else if (entry.isFile()) found.push(`${next}/${entry.name}`)
    }
  }
  return found.sort()
}

async function entriesOf(folder: string) {
  return (await readdir(folder, { withFileTypes: true }).catch(absent)) ?? []
}

export { addRepository }
