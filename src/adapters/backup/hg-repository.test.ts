import { mkdirSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { hasHg, hgOut, openHgLab } from '../hg/hg-lab.suite.ts'
import { addHgRepository, isHgRepository } from './hg-repository.ts'
import type { TarWriter } from './tar-writer.ts'

function taking(folder: string, before: (name: string) => void): TarWriter {
  return {
    size: { files: 0, bytes: 0 },
    async addFolder(name) {
      await mkdir(join(folder, name), { recursive: true })
    },
    async addBytes(name, bytes) {
      await writeFile(join(folder, name), bytes)
    },
    async addFile(name, path) {
      before(name)
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await copyFile(path, join(folder, name))
      return true
    },
    finish: async () => {},
    abandon: () => {},
  }
}

test.skipIf(!hasHg())('a copy of a Mercurial repository is whole and without configuration; who pushes meanwhile waits for it', async () => {
  const { hg, home, path } = await openHgLab()
  const id = randomUUID()
  await hg.create(id)
  const author = { name: 'Ann', email: 'ann@lab.test', at: 0, zone: '+0000' }
  const branch = 'refs/heads/default'
  const change = (parent: string | null) => ({ branch, parent, files: [{ path: 'a', content: Buffer.from(String(parent)) }], author, message: 'x' })
  const one = await hg.commit(id, change(null))
  await hg.setHead(id, 'refs/heads/elsewhere')
  writeFileSync(`${path(id)}/.hg/hgrc`, '[hooks]\n')
  let pushing: Promise<string> | null = null
  const tar = taking(home, () => {
    pushing ??= hg.commit(id, change(one))
  })
  expect(await isHgRepository(path(id))).toBe(true)
  expect(await addHgRepository(tar, 'copied.hg', path(id))).toBe(true)
  expect(await pushing).toMatch(/^[0-9a-f]{40}$/)
  const copy = `${home}/copied.hg`
  expect(await hgOut(copy, ['log', '-T', '{node}\n'])).toBe(one)
  expect(await hgOut(copy, ['verify', '-q'])).toBe('')
  expect(await hgOut(copy, ['showconfig', 'hooks']).catch(() => 'none')).toBe('none')
  expect(await isHgRepository(`${home}/nothing`)).toBe(false)
  expect(await addHgRepository(tar, 'nothing.hg', `${home}/nothing`)).toBe(false)
})

test('the lock is given back, and waited for when another program holds it', async () => {
  const { home } = await openHgLab()
  const folder = `${home}/x.hg`
  mkdirSync(`${folder}/.hg/store`, { recursive: true })
  symlinkSync('elsewhere:1', `${folder}/.hg/store/lock`)
  const adding = addHgRepository(
    taking(home, () => {}),
    'y.hg',
    folder,
  )
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(readlinkSync(`${folder}/.hg/store/lock`)).toBe('elsewhere:1')
  unlinkSync(`${folder}/.hg/store/lock`)
  expect(await adding).toBe(true)
  expect(() => readlinkSync(`${folder}/.hg/store/lock`)).toThrow()
})
