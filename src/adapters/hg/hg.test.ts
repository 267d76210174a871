import { existsSync, readdirSync, writeFileSync, mkdirSync, rmSync } from 'node:fs'
import { chmod, stat } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../core/kernel/clock.ts'
import { HgBusy, HgContentRefused, HgUnavailable } from '../../ports/hg.ts'
import type { Hg, HgServeRequest } from '../../ports/hg.ts'
import { createHg } from './adapter.ts'
import { hasHg, hgOut, hgProcesses, openHgLab } from './hg-lab.suite.ts'
import { sweepHg } from './sweep.ts'

const ann = { name: 'Ann', email: 'ann@lab.test', at: 1_700_000_000_000, zone: '+0000' }
const branch = 'refs/heads/default'
const silent = { warn: () => {} }

async function commit(hg: Hg, id: string, parent: string | null, files: Record<string, string>): Promise<string> {
  const change = {
    branch,
    parent,
    files: Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) })),
    author: ann,
    message: 'x',
  }
  const made = await hg.commit(id, change)
  if (made === 'conflict') throw new Error('A fixture is in conflict')
  return made
}

function asking(id: string, command: string, more: Partial<HgServeRequest> = {}): HgServeRequest {
  const headers = { accept: 'application/mercurial-0.1', ...more.headers }
  return { id, end: 'read', method: 'GET', command, query: '', body: null, signal: new AbortController().signal, ...more, headers }
}

async function answered(hg: Hg, request: HgServeRequest) {
  const answer = await hg.serve(request)
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.body) chunks.push(chunk)
  return { status: answer.status, type: answer.headers['content-type'], text: Buffer.concat(chunks).toString('latin1') }
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 2000; round++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('It never came true')
}

const bytes = (text: string) => ({
  length: Buffer.byteLength(text),
  chunks: (async function* () {
    yield Buffer.from(text)
  })(),
})

describe.skipIf(!hasHg())('Mercurial storage', () => {
  test('the read end refuses every change by itself, in whatever disguise, and so does the write end without a record', async () => {
    const { hg } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const node = await commit(hg, id, null, { a: '1' })
    const key = `namespace=bookmarks&key=evil&old=&new=${node}`
    const inner = encodeURIComponent(`pushkey namespace=bookmarks,key=evil,old=,new=${node}`)
    const post = { method: 'POST', headers: { 'content-type': 'application/mercurial-0.1' } } as const
    const disguises: HgServeRequest[] = [
      asking(id, 'pushkey', { ...post, body: bytes(''), query: key }),
      asking(id, 'unbundle', { ...post, body: bytes('HG10UN'), query: 'heads=666f726365' }),
      asking(id, 'batch', { ...post, body: bytes(''), query: `cmds=${inner}` }),
      asking(id, 'batch', { ...post, body: bytes(''), headers: { ...post.headers, 'x-hgarg-1': `cmds=heads+%3B${inner}` } }),
      asking(id, 'heads', { ...post, body: bytes(''), query: `${key}&cmd=pushkey` }),
      asking(id, 'batch', {
        ...post,
        body: bytes(key),
        headers: { ...post.headers, 'x-hgarg-1': 'cmds=heads+', 'x-hgargs-post': String(key.length) },
      }),
      asking(id, 'pushkey', {
        ...post,
        body: bytes(''),
        query: key,
        headers: { ...post.headers, 'x-capstan-push': 'x', 'x-capstan-repository': 'x' },
      }),
    ]
    for (const request of disguises) {
      const { status, text } = await answered(hg, request)
      expect(`${status} ${text}`, `${request.command}?${request.query}`).not.toMatch(/^200 1\n/)
      expect([...(await hg.refs(id)).keys()]).toEqual([branch])
    }
    for (const command of ['archive', 'changelog', 'no-such', 'static']) expect((await answered(hg, asking(id, command))).status).toBe(400)
    const asked: unknown[] = []
    const refused = hg.serve(
      asking(id, 'pushkey', {
        ...post,
        end: 'write',
        body: bytes(''),
        query: key,
        onCommands: async (changes) => {
          asked.push(changes)
          throw new Error('no record')
        },
      }),
    )
    await refused.then(
      async ({ body }) => {
        for await (const _ of body);
      },
      () => {},
    )
    expect(asked).toEqual([[{ ref: 'refs/bookmarks/evil', from: null, to: node }]])
    expect([...(await hg.refs(id)).keys()]).toEqual([branch])
  })

  test('what a repository configures for itself is never run: hooks, extensions, nothing', async () => {
    const { hg, home, path } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const proof = `${home}/proof`
    writeFileSync(`${home}/evil.py`, `open(${JSON.stringify(proof)}, 'w').close()\n`)
    const lines = [
      '[extensions]',
      `evil = ${home}/evil.py`,
      '[hooks]',
      ...['pretxnopen', 'pretxnclose', 'txnclose', 'commit', 'changegroup', 'pre-capstan', 'listkeys', 'outgoing'].map(
        (hook) => `${hook}.evil = touch ${proof}`,
      ),
      '[alias]',
      `capstan = !touch ${proof}`,
    ]
    for (const name of ['hgrc', 'hgrc-not-shared']) writeFileSync(`${path(id)}/.hg/${name}`, `${lines.join('\n')}\n`)
    const node = await commit(hg, id, null, { a: '1' })
    const fork = randomUUID()
    await hg.fork(fork, id)
    const theirs = await commit(hg, fork, node, { b: '1' })
    const ours = await commit(hg, id, node, { c: '1' })
    await hg.merge(id, { branch, ours, theirs, source: fork, commit: { author: ann, message: 'm' } }, { signal: new AbortController().signal })
    await answered(hg, asking(id, 'listkeys', { query: 'namespace=bookmarks' }))
    await answered(hg, asking(id, 'getbundle'))
    expect(existsSync(proof)).toBe(false)
    expect(existsSync(`${path(fork)}/.hg/hgrc`)).toBe(false)
  })

  test('a change that was cut off by a kill is rolled back before anybody reads refs or changes anything', async () => {
    const { hg, path, log } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const one = await commit(hg, id, null, { a: '1' })
    let pid = 0
    const change = { branch, parent: one, files: [{ path: 'a', content: Buffer.from('2') }], author: ann, message: 'x' }
    // While hg waits for our answer, in the middle of its transaction, it is killed.
    const cut = hg.commit(id, change, {
      onMade: async () => {
        const { readlinkSync } = await import('node:fs')
        pid = Number(
          readlinkSync(`${path(id)}/.hg/store/lock`)
            .split(':')
            .at(-1),
        )
        process.kill(pid, 'SIGKILL')
        await until(() => !existsSync(`/proc/${pid}`))
      },
    })
    await expect(cut).rejects.toThrow(HgUnavailable)
    expect(existsSync(`${path(id)}/.hg/store/journal`)).toBe(true)
    expect([...(await hg.refs(id))]).toEqual([[branch, one]])
    expect(existsSync(`${path(id)}/.hg/store/journal`)).toBe(false)
    expect(log.map(({ event }) => event)).toContain('hg.recovered')
    const two = await commit(hg, id, one, { a: '3' })
    expect(await hgOut(path(id), ['verify', '-q'])).toBe('')
    expect(await hg.resolve(id, branch)).toBe(two)
  })

  test('a process may take so much memory and no more: a file beyond it is refused, and the next request is answered', async () => {
    const { hg } = await openHgLab({ memoryBytes: 300 * 1024 * 1024 })
    const id = randomUUID()
    await hg.create(id)
    const large = commit(hg, id, null, { large: 'x'.repeat(100 * 1024 * 1024) })
    await expect(large).rejects.toThrow(/memory|gone|ended/)
    const node = await commit(hg, id, null, { small: 'x' })
    expect(await hg.resolve(id, branch)).toBe(node)
    expect((await answered(hg, asking(id, 'heads'))).text).toContain(node)
  })

  test('so many are answered at once, so many wait, and the rest is told to come again', async () => {
    const { hg } = await openHgLab({ maxServing: 1, queue: 1 })
    const id = randomUUID()
    await hg.create(id)
    const first = await hg.serve(asking(id, 'capabilities'))
    const second = hg.serve(asking(id, 'heads'))
    await expect(hg.serve(asking(id, 'heads'))).rejects.toThrow(HgBusy)
    // One whose answer nobody reads holds its place until it is put away.
    await first.body[Symbol.asyncIterator]().return?.()
    expect((await second).status).toBe(200)
  })

  test('what nobody uses is closed, and nothing is left when the storage closes', async () => {
    const { hg, root } = await openHgLab({ idleMs: 200 })
    const id = randomUUID()
    await hg.create(id)
    await answered(hg, asking(id, 'heads'))
    await hg.refs(id)
    expect(hgProcesses(root).length).toBeGreaterThan(0)
    await until(() => hgProcesses(root).length === 0)
    await hg.refs(id)
    await answered(hg, asking(id, 'heads'))
    const { mode } = await stat(`${root}/${readdirSync(root).find((name) => name.startsWith('.run-hg-'))}/hook`)
    expect(mode & 0o777).toBe(0o600)
    await hg.close()
    expect(hgProcesses(root)).toEqual([])
    expect(readdirSync(root)).toEqual([`${id}.hg`])
  })

  test('what a killed server left is gone at the next start: half repositories, working copies, processes', async () => {
    const { root } = await openHgLab()
    for (const name of ['.new-hg-aaaa', '.run-hg-bbbb', 'x.hg']) mkdirSync(`${root}/${name}/.hg`, { recursive: true })
    await sweepHg({ root, log: silent, clock: systemClock, storage: 'shared' })
    expect(readdirSync(root)).toContain('.run-hg-bbbb')
    await sweepHg({ root, log: silent, clock: systemClock, storage: 'alone' })
    expect(readdirSync(root).filter((name) => /aaaa|bbbb/.test(name))).toEqual([])
    expect(readdirSync(root)).toContain('x.hg')
  })

  test('a merge with a working copy that would be too large, or that fetches others, is refused', async () => {
    const { hg } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const base = await commit(hg, id, null, { a: '1' })
    const fork = randomUUID()
    await hg.fork(fork, id)
    const theirs = await commit(hg, fork, base, { b: '1' })
    const many = Object.fromEntries(Array.from({ length: 20_001 }, (_, at) => [`f${at}`, '']))
    const ours = await hg.commit(id, {
      branch,
      parent: base,
      files: Object.keys(many).map((path) => ({ path, content: Buffer.alloc(0) })),
      author: ann,
      message: 'x',
    })
    await expect(hg.tryMerge(id, ours, theirs, { source: fork, signal: new AbortController().signal })).rejects.toThrow(HgContentRefused)
  })

  test('a changeset is found by number, by a prefix of its id and by name, and says what it changed', async () => {
    const { hg } = await openHgLab()
    const id = randomUUID()
    await hg.create(id)
    const one = await commit(hg, id, null, { a: '1', 'b/c': '1' })
    const change = [
      { path: 'a', content: Buffer.from('2') },
      { path: 'b/c', content: null },
      { path: 'd', content: Buffer.from('3') },
    ]
    const two = await hg.commit(id, { branch, parent: one, files: change, author: ann, message: 'x' })
    if (two === 'conflict') throw new Error('A fixture is in conflict')
    expect(await hg.count(id)).toBe(2)
    expect(await hg.changedFiles(id, two)).toEqual({ added: ['d'], changed: ['a'], removed: ['b/c'] })
    expect(await hg.changedFiles(id, one)).toEqual({ added: ['a', 'b/c'], changed: [], removed: [] })
    for (const [word, node] of [
      ['0', one],
      ['1', two],
      ['tip', two],
      ['default', two],
      [two.slice(0, 8), two],
      [one, one],
    ])
      expect(await hg.lookup(id, word ?? ''), word).toBe(node)
    for (const word of ['99', '', 'no', 'all()', '0:1', '0 + 1', 'f'.repeat(12), '--config', '-R', "desc('x')", '{node}'])
      expect(await hg.lookup(id, word), word).toBeNull()
    expect((await hg.log(id, branch, { limit: 9, skip: 0 })).map(({ number, branch: on }) => [number, on])).toEqual([
      [1, 'default'],
      [0, 'default'],
    ])
  })

  test('a repository that is damaged is reported as such, and the others go on', async () => {
    const { hg, path } = await openHgLab()
    const [good, bad] = [randomUUID(), randomUUID()]
    for (const id of [good, bad]) {
      await hg.create(id)
      await commit(hg, id, null, { a: '1' })
    }
    writeFileSync(`${path(bad)}/.hg/store/00changelog.i`, 'no index at all')
    await expect(hg.refs(bad)).rejects.toThrow(HgUnavailable)
    expect((await hg.refs(good)).size).toBe(1)
    await chmod(path(bad), 0o700)
  })
})

test('without hg there is storage that says so, and nothing is started', async () => {
  const root = `${tmpdir()}/capstan-no-hg-${randomUUID()}`
  const hg = await createHg({ root, log: silent, clock: systemClock, program: 'no-such-hg' })
  try {
    expect(hg.missing).toBe('hg is not installed')
    expect(await hg.list()).toEqual([])
    await expect(hg.create(randomUUID())).rejects.toThrow(HgUnavailable)
    expect(readdirSync(root).filter((name) => name.startsWith('.new'))).toEqual([])
  } finally {
    await hg.close()
    rmSync(root, { recursive: true, force: true })
  }
})
