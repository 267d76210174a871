import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createIncoming } from './incoming.ts'

const root = await mkdtemp(join(tmpdir(), 'capstan-incoming-'))
afterAll(() => rm(root, { recursive: true, force: true }))

async function bare(path: string): Promise<void> {
  for (const folder of ['objects', 'refs']) await mkdir(join(root, path, folder), { recursive: true })
  await writeFile(join(root, path, 'HEAD'), 'ref: refs/heads/master\n')
}

test('repositories are found at any depth, and links, hidden names and working copies are passed by', async () => {
  await bare('top')
  await bare('lab/deep/inner')
  await bare('.hidden')
  await bare('rm__20260101__old')
  await mkdir(join(root, 'lab/mercury/.hg'), { recursive: true })
  await mkdir(join(root, 'work/.git/objects'), { recursive: true })
  await bare('top/objects/nested')
  await symlink(join(root, 'top'), join(root, 'link'))
  const found = await createIncoming({ root }).list()
  expect(found.map(({ path, kind }) => `${kind} ${path}`)).toEqual(['git lab/deep/inner', 'hg lab/mercury', 'git top'])
})

test('what was taken is not found again', async () => {
  const incoming = createIncoming({ root })
  const [first] = await incoming.list()
  if (!first) throw new Error('nothing was found')
  await incoming.taken(first, 'some-id')
  expect((await incoming.list()).map(({ path }) => path)).not.toContain(first.path)
})

test('a folder that is not there holds nothing', async () => {
  expect(await createIncoming({ root: join(root, 'none') }).list()).toEqual([])
})
