import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { hasHg, hgCommit, hgOut, hgProcesses, tryHg } from '../../src/adapters/hg/hg-lab.suite.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

describe.skipIf(!hasHg())('a Mercurial repository of a real server', () => {
  let server: Server
  let copy: string
  let remote: string
  let storage: string

  beforeAll(async () => {
    server = await startServer()
    const { id } = await server.admin.ok('repository.create', { path: 'team', kind: 'hg' })
    remote = `http://ann:${encodeURIComponent(server.admin.password)}@127.0.0.1:${server.port}/team`
    storage = `${server.data}/repositories/${id}.hg`
    copy = `${server.folder}/copy`
    await hgOut(server.folder, ['clone', '-q', remote, copy])
    await hgCommit(copy, { a: '1\n' })
    await hgOut(copy, ['push', '-q', remote])
  })
  afterAll(() => server?.close())

  const tips = async () => (await server.admin.ok('repository.list-branches', { repository: 'team' })).items as { commit: string }[]
  const recorded = async () =>
    (await server.admin.ok('repository.list-pushes', { repository: 'team' })).items as { state: string; changes: { to: string }[] }[]

  // What is killed with the power gone, and when: as soon as Mercurial has begun to write, and as soon as it has ended.
  test.each([
    ['in the middle of a push', (begun: boolean, writing: boolean) => begun && writing],
    ['right behind a push', (begun: boolean, writing: boolean) => begun && !writing],
  ])('killed %s, nothing is half there at the next start, and what is there is recorded', async (_, isTime) => {
    const [before] = await tips()
    const to = await hgCommit(copy, { big: randomBytes(3_000_000), [`f${Math.random()}`]: 'x' })
    const pushing = tryHg(copy, ['push', '-q', remote])
    let begun = false
    await until('the moment', () => {
      const writing = existsSync(`${storage}/.hg/store/journal`)
      begun ||= writing
      return isTime(begun, writing)
    })
    await server.kill()
    await pushing
    await server.start()
    const [now] = await tips()
    expect([before?.commit, to]).toContain(now?.commit)
    const pushes = await recorded()
    expect(pushes.filter(({ state }) => state === 'open')).toEqual([])
    const found = pushes.filter(({ state, changes }) => state === 'done' && changes.some((change) => change.to === to))
    expect(found).toHaveLength(now?.commit === to ? 1 : 0)
    expect(readdirSync(`${storage}/.hg/store`).filter((name) => name === 'journal' || name === 'lock')).toEqual([])
    // Code 1: there was nothing left to push.
    expect((await tryHg(copy, ['push', '-q', remote])).code).toBe(now?.commit === to ? 1 : 0)
    expect((await tips())[0]?.commit).toBe(to)
    expect(await hgOut(storage, ['verify', '-q'])).toBe('')
  })

  test('a server that stops ends its hg processes', async () => {
    expect(hgProcesses(`${server.data}/repositories`).length).toBeGreaterThan(0)
    expect(await server.stop()).toBe(0)
    expect(hgProcesses(`${server.data}/repositories`)).toEqual([])
    await server.start()
  })
})
