import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg, hgOut } from '../../src/adapters/hg/hg-lab.suite.ts'
import { gitUrl, pushTree } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Reply } from '../support/client.ts'
import type { Server } from '../support/server.ts'

// A server that is killed while a repository is made, copied, pulled, renamed or deleted: what it answered is true, and of the rest nothing is half there.
const kinds = hasHg() ? (['git', 'hg'] as const) : (['git'] as const)
const rounds = 3

describe.each(kinds)('%s', (kind) => {
  let server: Server

  const folder = () => join(server.data, 'repositories')
  const call = (operation: string, input: object): Promise<Reply | null> => server.admin.call(operation, input).catch(() => null)
  const isThere = async (path: string) => (await server.admin.call('repository.get', { repository: path })).status === 200

  async function push(path: string, bytes: number, to = server): Promise<void> {
    const address = gitUrl(to.url, path, to.admin)
    const content = randomBytes(bytes).toString('base64')
    if (kind === 'git') {
      const { code, err } = await pushTree(address, { content })
      return expect(code, err).toBe(0)
    }
    const copy = join(server.folder, `copy-${Math.random()}`)
    mkdirSync(copy)
    await hgOut(copy, ['clone', '-q', address, 'c'])
    writeFileSync(join(copy, 'c', 'content'), content)
    await hgOut(join(copy, 'c'), ['commit', '-q', '-A', '-u', 'test', '-m', 'content'])
    await hgOut(join(copy, 'c'), ['push', '-q', address])
  }

  /** Every repository that is listed can be read, each has its storage, and there is no storage besides. */
  async function expectWhole(): Promise<void> {
    const { items } = await server.admin.ok('repository.list', { limit: 1000 })
    for (const { id, last_commit } of items) {
      const commits = await server.admin.ok('repository.list-commits', { repository: id })
      expect(commits.items[0]?.id ?? null).toBe(last_commit?.id ?? null)
    }
    const storage = readdirSync(folder()).filter((name) => !name.startsWith('.') || name.startsWith('.new-'))
    expect(storage.sort()).toEqual((items as { id: string }[]).map(({ id }) => `${id}.${kind}`).sort())
  }

  /** Kills the server `afterMs` behind the beginning of a call, or as soon as `seen`, starts it again, and gives what the call was answered. */
  async function killIn(call: () => Promise<Reply | null>, when: number | (() => boolean)): Promise<Reply | null> {
    const answer = call()
    if (typeof when === 'number') await new Promise((resolve) => setTimeout(resolve, when))
    else {
      let over = false
      void answer.then(() => (over = true))
      for (; !over && !when(); await new Promise(setImmediate));
    }
    await server.kill()
    const reply = await answer
    await server.start()
    await expectWhole()
    return reply
  }

  const unfinished = () => readdirSync(folder()).some((name) => name.startsWith('.new-'))
  const placed = () => {
    const before = new Set(readdirSync(folder()))
    return () => readdirSync(folder()).some((name) => name.endsWith(`.${kind}`) && !before.has(name))
  }
  // In its middle, when the storage has its name and the store may not know of it yet, and wherever it is after a while.
  const moments = () => [unfinished, placed(), 3, 15]

  beforeAll(async () => {
    server = await startServer({ environment: { CAPSTAN_EGRESS_ALLOW: '127.0.0.1/32' } })
    await server.admin.ok('repository.create', { path: 'base', kind })
    await push('base', 3_000_000)
  }, 60_000)
  afterAll(() => server?.close())

  test('making: it is listed and whole, or its name is free', async () => {
    for (const [at, moment] of moments().entries()) {
      const made = { path: `made-${at}`, kind }
      const reply = await killIn(() => call('repository.create', made), moment)
      if (reply?.status === 200) expect(await isThere(made.path)).toBe(true)
      if (!(await isThere(made.path))) await server.admin.ok('repository.create', made)
    }
    await expectWhole()
  }, 240_000)

  test('forking: the fork is listed and whole, or its name is free, and its source is as it was', async () => {
    const { items: before } = await server.admin.ok('repository.list-branches', { repository: 'base' })
    for (const [at, moment] of moments().entries()) {
      const fork = { repository: 'base', path: `fork-${at}` }
      const reply = await killIn(() => call('repository.fork', fork), moment)
      if (reply?.status === 200) expect(await isThere(fork.path)).toBe(true)
      if (!(await isThere(fork.path))) await server.admin.ok('repository.fork', fork)
      expect((await server.admin.ok('repository.list-branches', { repository: fork.path })).items).toEqual(before)
    }
    expect((await server.admin.ok('repository.list-branches', { repository: 'base' })).items).toEqual(before)
    await expectWhole()
  }, 240_000)

  test('renaming: it is under one of its names, the other is free, and clones go on', async () => {
    let path = 'base'
    for (let round = 0; round < rounds; round++) {
      const to = `renamed-${round}`
      const reply = await killIn(() => call('repository.update', { repository: path, path: to }), round * 4)
      const [old, now] = [await isThere(path), await isThere(to)]
      expect([old, now].filter(Boolean)).toHaveLength(1)
      if (reply?.status === 200) expect(now).toBe(true)
      await server.admin.ok('repository.create', { path: now ? path : to, kind })
      await server.admin.ok('repository.delete', { repository: now ? path : to })
      if (now) path = to
    }
    await push(path, 1000)
    await server.admin.ok('repository.update', { repository: path, path: 'last' })
  }, 240_000)

  test('deleting: it is there and whole, or it is gone with its storage and its name is free', async () => {
    for (let round = 0; round < rounds; round++) {
      const path = `made-${round}`
      await push(path, 1000)
      const reply = await killIn(() => call('repository.delete', { repository: path }), round * 4)
      if (reply?.status === 200) expect(await isThere(path)).toBe(false)
      if (await isThere(path)) await server.admin.ok('repository.delete', { repository: path })
      await server.admin.ok('repository.create', { path, kind })
      expect((await server.admin.ok('repository.list-branches', { repository: path })).items).toEqual([])
    }
    await expectWhole()
  }, 240_000)

  test('copying from an address and pulling: the copy is listed and whole, or its name is free; a pull can be repeated', async () => {
    const remote = await startServer()
    try {
      await remote.admin.ok('repository.create', { path: 'there', kind })
      await push('there', 3_000_000, remote)
      const mirror = { path: 'mirror', kind, clone_uri: gitUrl(remote.url, 'there', remote.admin) }
      for (const moment of [unfinished, placed(), 150]) {
        const reply = await killIn(() => call('repository.create', mirror), moment)
        if (reply?.status === 200) expect(await isThere('mirror')).toBe(true)
        if (!(await isThere('mirror'))) await server.admin.ok('repository.create', mirror)
        const branches = (of: Server, repository: string) => of.admin.ok('repository.list-branches', { repository })
        await push('there', 3_000_000, remote)
        await killIn(() => call('repository.pull', { repository: 'mirror' }), 100)
        await server.admin.ok('repository.pull', { repository: 'mirror' })
        expect((await branches(server, 'mirror')).items).toEqual((await branches(remote, 'there')).items)
        await server.admin.ok('repository.delete', { repository: 'mirror' })
      }
    } finally {
      await remote.close()
    }
  }, 240_000)

  test('what a killed server left at work is ended by the next start, which waits for it', async () => {
    await server.kill()
    const root = realpathSync(folder())
    // Both read from a pipe that we hold, as theirs would be while their server lives.
    const [program, args] = kind === 'git' ? ['git', ['hash-object', '--stdin']] : ['/usr/bin/python3', ['-c', 'import sys; sys.stdin.read()']]
    const left = spawn(program, args, {
      env: { PATH: '/usr/bin:/bin', CAPSTAN_GIT_ROOT: root, CAPSTAN_HG_ROOT: root },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const gone = new Promise((resolve) => left.once('exit', (_, signal) => resolve(signal)))
    await server.start()
    expect(await gone).toBe('SIGKILL')
    await expectWhole()
  }, 60_000)

  test('of two that are made at once with one name, one is, and nothing is left of the other', async () => {
    for (let round = 0; round < rounds; round++) {
      const both = await Promise.all([1, 2].map(() => call('repository.create', { path: `twin-${round}`, kind })))
      expect(both.map((reply) => reply?.status).sort()).toEqual([200, 409])
    }
    await until('nothing is left over', () => !unfinished())
    await expectWhole()
  }, 60_000)
})
