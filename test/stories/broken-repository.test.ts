import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg, hgOut, tryHg } from '../../src/adapters/hg/hg-lab.suite.ts'
import { git, gitUrl, pushTree } from '../support/git.ts'
import { adminKey, startServer } from '../support/server.ts'
import { openSmallDisk } from '../support/small-disk.ts'
import type { Server } from '../support/server.ts'

// One repository whose storage is damaged, and a disk without room: each is said where it matters, and everything else goes on.
const kinds = hasHg() ? (['git', 'hg'] as const) : (['git'] as const)
type Kind = (typeof kinds)[number]

async function push(server: Server, path: string, kind: Kind, bytes: number): Promise<number | null> {
  const url = gitUrl(server.url, path, server.admin)
  const content = randomBytes(bytes).toString('base64')
  if (kind === 'git') return (await pushTree(url, { content })).code
  const copy = join(server.folder, `copy-${Math.random()}`)
  mkdirSync(copy)
  await hgOut(copy, ['clone', '-q', url, 'c'])
  writeFileSync(join(copy, 'c', 'content'), content)
  await hgOut(join(copy, 'c'), ['commit', '-q', '-A', '-u', 'test', '-m', 'content'])
  return (await tryHg(join(copy, 'c'), ['push', '-q', url])).code
}

async function kallithea(server: Server, method: string, args: object = {}): Promise<{ result: unknown; error: string | null }> {
  const body = JSON.stringify({ id: 1, api_key: adminKey, method, args })
  return (await server.nobody.request('POST', '/_admin/api', { body })).json
}

/** Cuts or overwrites what the storage of a repository is made of. */
const damages: Readonly<Record<Kind, Readonly<Record<string, (storage: string) => void>>>> = {
  git: {
    'objects that are cut': (storage) => each(join(storage, 'objects'), (file) => truncateSync(file, Math.floor(statSync(file).size / 2))),
    'no objects at all': (storage) => rmSync(join(storage, 'objects'), { recursive: true }),
    'refs that are noise': (storage) => each(join(storage, 'refs'), (file) => writeFileSync(file, randomBytes(60))),
  },
  hg: {
    'an index that is cut': (storage) => truncateSync(join(storage, '.hg/store/00changelog.i'), 40),
    'an index that is noise': (storage) => writeFileSync(join(storage, '.hg/store/00changelog.i'), randomBytes(200)),
    'requirements that are noise': (storage) => writeFileSync(join(storage, '.hg/requires'), randomBytes(60)),
  },
}

function each(folder: string, work: (file: string) => void): void {
  for (const item of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!item.isFile()) continue
    rmSync(join(item.parentPath, `${item.name}.x`), { force: true })
    work(join(item.parentPath, item.name))
  }
}

describe.each(kinds)('a %s repository that is damaged', (kind) => {
  let server: Server

  beforeAll(async () => {
    server = await startServer()
    await server.admin.ok('repository.create', { path: 'sound', kind })
    expect(await push(server, 'sound', kind, 1000)).toBe(0)
  }, 60_000)
  afterAll(() => server?.close())

  test.each(Object.entries(damages[kind]))('%s: it fails alone, is said, can be deleted, and every list goes on', async (what, damage) => {
    const path = what.replaceAll(' ', '-')
    const { id } = await server.admin.ok('repository.create', { path, kind })
    expect(await push(server, path, kind, 200_000)).toBe(0)
    // Nothing may still be held open, or remembered.
    await server.kill()
    damage(join(server.data, 'repositories', `${id}.${kind}`))
    await server.start()

    const listed = (await server.admin.ok('repository.list', {})).items as { path: string }[]
    expect(listed.map((one) => one.path)).toEqual([path, 'sound'].sort())
    const { result, error } = await kallithea(server, 'get_repos')
    expect([(result as { repo_name: string }[]).map((one) => one.repo_name).sort(), error]).toEqual([[path, 'sound'].sort(), null])
    expect((await kallithea(server, 'get_repo', { repoid: path })).error).toBeNull()

    const broken = await kallithea(server, 'get_changesets', { repoid: path })
    expect(broken.result).toBeNull()
    expect(typeof broken.error).toBe('string')
    expect((await kallithea(server, 'get_repo_nodes', { repoid: path, revision: 'tip', root_path: '/' })).result).toBeNull()
    expect((await server.admin.call('repository.list-commits', { repository: path })).status).toBeGreaterThanOrEqual(400)
    expect(server.said().log).toContain(id)
    const clone =
      kind === 'git'
        ? await git(server.folder, ['clone', '-q', gitUrl(server.url, path, server.admin), `c-${path}`])
        : await tryHg(server.folder, ['clone', '-q', gitUrl(server.url, path, server.admin), `c-${path}`])
    expect(clone.code).not.toBe(0)

    expect((await kallithea(server, 'get_changesets', { repoid: 'sound' })).error).toBeNull()
    expect(await push(server, 'sound', kind, 1000)).toBe(0)
    await server.admin.ok('repository.delete', { repository: path })
    await server.admin.ok('repository.create', { path, kind })
    await server.admin.ok('repository.delete', { repository: path })
    expect((await server.nobody.get('/readyz')).status).toBe(200)
  })
})

const disk = await openSmallDisk(32 * 1024 * 1024)
const skip = 'missing' in disk ? disk.missing : null

describe.skipIf(skip)(skip ? `repositories on a full disk (skipped: ${skip})` : 'repositories on a full disk', () => {
  if ('missing' in disk) return
  let server: Server

  beforeAll(async () => {
    server = await startServer({ environment: { CAPSTAN_DATA: join(disk.path, 'data') }, wrap: disk.wrap })
    for (const kind of kinds) {
      await server.admin.ok('repository.create', { path: `full-${kind}`, kind })
      expect(await push(server, `full-${kind}`, kind, 1000)).toBe(0)
    }
  }, 60_000)
  afterAll(async () => {
    disk.free()
    await server?.close()
    await disk.close()
  }, 30_000)

  test.each(kinds)(
    '%s: making and pushing are refused without a trace, and go on when there is room',
    async (kind) => {
      const folder = join(disk.seen, 'data', 'repositories')
      const storage = () => readdirSync(folder).filter((name) => name.startsWith('.new-') || !name.startsWith('.'))
      const path = `full-${kind}`
      const tips = async () => (await server.admin.ok('repository.list-branches', { repository: path })).items
      const [before, own] = [await tips(), storage()]
      disk.fill()
      const refused = await server.admin.call('repository.create', { path: `new-${kind}`, kind })
      expect(['git_unavailable', 'store_unavailable']).toContain(refused.json.error?.code)
      expect(await push(server, path, kind, 3_000_000)).not.toBe(0)
      disk.free()
      expect(await tips()).toEqual(before)
      expect(storage()).toEqual(own)
      expect((await server.admin.call('repository.get', { repository: `new-${kind}` })).status).toBe(404)
      expect(await push(server, path, kind, 100_000)).toBe(0)
      await server.admin.ok('repository.create', { path: `new-${kind}`, kind })
      expect(await tips()).not.toEqual(before)
    },
    60_000,
  )
})
