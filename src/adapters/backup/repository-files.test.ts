import { mkdir, rename, writeFile } from 'node:fs/promises'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { commit, gitOut, openLab } from '../git/git-lab.suite.ts'
import { addRepository } from './repository-files.ts'
import type { Lab } from '../git/git-lab.suite.ts'
import type { TarWriter } from './tar-writer.ts'

/** Takes entries into a folder as they come, and lets a test do something before each. */
function taking(folder: string, before: (name: string) => Promise<void>): TarWriter & { names: string[] } {
  const names: string[] = []
  const put = async (name: string, bytes: Buffer) => {
    names.push(name)
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), bytes, { flag: 'wx' })
  }
  return {
    names,
    size: { files: 0, bytes: 0 },
    async addFolder(name) {
      await mkdir(join(folder, name), { recursive: true })
    },
    async addBytes(name, bytes) {
      await before(name)
      await put(name, bytes)
    },
    async addFile(name, path) {
      await before(name)
      const bytes = await readFile(path).catch(() => null)
      if (bytes) await put(name, bytes)
      return bytes !== null
    },
    finish: async () => {},
    abandon: () => {},
  }
}

async function pushed(lab: Lab): Promise<{ copy: string; push: () => Promise<string>; first: string }> {
  await lab.git.create('r1')
  const copy = await lab.working()
  const push = async () => {
    const id = await commit(copy, { counter: String(Math.random()) })
    await gitOut(copy, ['push', '-q', lab.path('r1'), 'HEAD:refs/heads/master'])
    return id
  }
  return { copy, push, first: await push() }
}

const check = (folder: string) => gitOut(folder, ['-c', 'safe.directory=*', 'fsck', '--full', '--no-dangling'])
const tip = (folder: string) => gitOut(folder, ['-c', 'safe.directory=*', 'rev-parse', 'HEAD'])

test('a push that comes between the refs and the objects, and packing that replaces every pack and ref, leave a copy that is whole', async () => {
  const lab = await openLab()
  const { push, first } = await pushed(lab)
  const path = lab.path('r1')
  let disturbed = 0
  const tar = taking(lab.home, async (name) => {
    // Once when the refs are read and nothing of the objects is, and once in the middle of the objects.
    if (name.endsWith('/HEAD') || (name.includes('/objects/') && disturbed === 1)) {
      disturbed += 1
      await push()
      await gitOut(path, ['-c', 'safe.directory=*', 'pack-refs', '--all'])
      await gitOut(path, ['-c', 'safe.directory=*', 'repack', '-q', '-a', '-d'])
    }
  })
  expect(await addRepository(tar, 'copied.git', [path])).toBe(true)
  expect(disturbed).toBe(2)
  expect(await check(join(lab.home, 'copied.git'))).toBe('')
  expect(await tip(join(lab.home, 'copied.git'))).toBe(first)
})

test('a repository that is deleted while it is read is read on from where it was moved', async () => {
  const lab = await openLab()
  const { first } = await pushed(lab)
  const aside = join(lab.root, '.aside-r1')
  let moved = false
  const tar = taking(lab.home, async (name) => {
    if (!name.includes('/objects/') || moved) return
    moved = true
    await rename(lab.path('r1'), aside)
  })
  expect(await addRepository(tar, 'copied.git', [lab.path('r1'), aside])).toBe(true)
  expect(await check(join(lab.home, 'copied.git'))).toBe('')
  expect(await tip(join(lab.home, 'copied.git'))).toBe(first)
  expect(await addRepository(tar, 'gone.git', [lab.path('r1')])).toBe(false)
})

test('locks, quarantines and unfinished packs of a push under way are left out', async () => {
  const lab = await openLab()
  await pushed(lab)
  const path = lab.path('r1')
  await mkdir(`${path}/objects/tmp_objdir-incoming-x`)
  for (const name of [
    'HEAD.lock',
    'refs/heads/a.lock',
    'objects/pack/tmp_pack_x',
    'objects/pack/pack-1.keep',
    'objects/tmp_objdir-incoming-x/y',
    'fast_import_crash_1',
  ])
    await writeFile(`${path}/${name}`, 'x')
  const tar = taking(lab.home, async () => {})
  await addRepository(tar, 'copied.git', [path])
  expect(tar.names.filter((name) => /lock|tmp_|keep|incoming|crash/.test(name))).toEqual([])
  expect(tar.names).toContain('copied.git/HEAD')
})
