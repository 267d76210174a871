import { lstat, mkdir, mkdtemp, opendir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stats } from 'node:fs'
import { SourceRefused } from '../../ports/import-source.ts'
import type { SourceStorage } from '../../ports/import-source.ts'

const mostEntries = 5_000_000
const mostRefs = 200_000
const largestRefs = 64 * 1024 * 1024
const deepest = 40
const linked = 'there is a link or something that is no file in its storage'

type Folders = {
  /** The repository at a path below the folder, checked; `SourceRefused` when there is none that could be taken over. */
  repository(path: string, kind: string): Promise<SourceStorage>
}

/** The repositories below a folder that is not ours: whatever in them leads elsewhere is refused, and their configuration and hooks are never read. */
async function openFolders(folder: string): Promise<Folders> {
  const root = await realpath(folder).catch(() => null)
  if (root === null || !(await lstat(root)).isDirectory()) throw new SourceRefused(`There is no folder ${folder}.`)
  return {
    async repository(path, kind) {
      const place = await inside(root, path)
      if (kind === 'git') return stageGit((await isFolder(join(place, '.git'))) ? join(place, '.git') : place)
      if (kind === 'hg') return checkHg(place)
      throw new SourceRefused(`its kind is "${kind}", which is neither git nor hg`)
    },
  }
}

async function inside(root: string, path: string): Promise<string> {
  let place = root
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..' || segment.includes('\0')) throw new SourceRefused('its path leads out of the folder')
    place = join(place, segment)
    const stat = await statOf(place)
    if (stat === null) throw new SourceRefused('its folder is not there')
    if (!stat.isDirectory()) throw new SourceRefused('its folder is a link or a file')
  }
  return place
}

/**
 * A folder that stands for a git repository: its HEAD and refs copied, its objects where they are, a configuration of our own. What the repository's own
 * configuration names (programs, other folders, remotes) is never seen.
 */
async function stageGit(place: string): Promise<SourceStorage> {
  if (!(await isFolder(join(place, 'objects')))) throw new SourceRefused('there is no git repository in its folder')
  for (const name of ['info/alternates', 'info/http-alternates']) {
    const stat = await statOf(join(place, 'objects', name))
    if (stat !== null && stat.size > 0)
      throw new SourceRefused('it borrows objects from elsewhere; run "git repack -a -d" in it and remove objects/info/alternates')
  }
  await refuseLinks(join(place, 'objects'))
  const stage = await mkdtemp(join(tmpdir(), 'capstan-import-'))
  try {
    await writeFile(join(stage, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n')
    await mkdir(join(stage, 'refs'))
    await symlink(join(place, 'objects'), join(stage, 'objects'))
    const head = await smallFile(join(place, 'HEAD'), 4096)
    if (head === null || !/^(ref: refs\/\S+|[0-9a-f]{40})\s*$/.test(head)) throw new SourceRefused('its HEAD names no branch')
    // One that names a commit is of a working copy; the branch is found anew here.
    await writeFile(join(stage, 'HEAD'), head.startsWith('ref: ') ? head : 'ref: refs/heads/master\n', 'latin1')
    const packed = await smallFile(join(place, 'packed-refs'), largestRefs)
    if (packed !== null) await writeFile(join(stage, 'packed-refs'), packed, 'latin1')
    await copyRefs(join(place, 'refs'), join(stage, 'refs'), { left: mostRefs }, 0)
    return { folder: stage, close: () => rm(stage, { recursive: true, force: true }) }
  } catch (error) {
    await rm(stage, { recursive: true, force: true })
    throw error
  }
}

async function copyRefs(from: string, to: string, count: { left: number }, depth: number): Promise<void> {
  if ((await statOf(from)) === null) return
  if (depth > deepest) throw new SourceRefused('its refs nest too deeply')
  for await (const entry of await opendir(from)) {
    if (--count.left < 0) throw new SourceRefused(`it has more than ${mostRefs} loose refs; run "git pack-refs --all" in it`)
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      await mkdir(target)
      await copyRefs(source, target, count, depth + 1)
      continue
    }
    if (!entry.isFile()) throw new SourceRefused('one of its refs is a link')
    const text = (await smallFile(source, 4096)) ?? ''
    // A ref that stands for another one, and what a crash has left, are no refs of their own.
    if (/^[0-9a-f]{40}\s*$/.test(text)) await writeFile(target, text)
  }
}

async function checkHg(place: string): Promise<SourceStorage> {
  const inner = join(place, '.hg')
  if (!(await isFolder(inner))) throw new SourceRefused('there is no Mercurial repository in its folder')
  if ((await statOf(join(inner, 'sharedpath'))) !== null) throw new SourceRefused('it is a share of another repository')
  // What our own storage keeps under that name is no word of anybody else's.
  if ((await statOf(join(inner, 'capstan-refs'))) !== null)
    throw new SourceRefused('it has a file capstan-refs, which no repository of Kallithea has')
  for (const name of ['wlock', 'store/lock', 'lock']) {
    if ((await statOf(join(inner, name))) !== null) {
      throw new SourceRefused(`it is locked (.hg/${name}). Stop the other server; if no hg runs there, remove that file`)
    }
  }
  // Caches are hg's own notes, links to try out links among them; nothing of them is taken over.
  for await (const entry of await opendir(inner)) if (!entry.isFile() && !entry.isDirectory()) throw new SourceRefused(linked)
  await refuseLinks(join(inner, 'store'))
  return { folder: place, close: async () => {} }
}

// What a link or a device would lead to is not the repository's.
async function refuseLinks(folder: string): Promise<void> {
  const waiting: [string, number][] = [[folder, 0]]
  let left = mostEntries
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [path, depth] = next
    if (depth > deepest) throw new SourceRefused('its folders nest too deeply')
    for await (const entry of await opendir(path)) {
      if (--left < 0) throw new SourceRefused(`it has more than ${mostEntries} files`)
      if (entry.isDirectory()) waiting.push([join(path, entry.name), depth + 1])
      else if (!entry.isFile()) throw new SourceRefused(linked)
    }
  }
}

async function smallFile(path: string, largest: number): Promise<string | null> {
  const stat = await statOf(path)
  if (stat === null) return null
  if (!stat.isFile()) throw new SourceRefused('there is a link where a file of it should be')
  if (stat.size > largest) throw new SourceRefused('one of the files that say its refs is too large')
  // Names of refs are bytes: they go through unchanged.
  return readFile(path, 'latin1')
}

async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path))?.isDirectory() ?? false
}

async function statOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new SourceRefused(`its folder cannot be read (${String(code)})`, { cause: error })
  }
}

export { openFolders }
