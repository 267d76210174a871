import { request as httpRequest } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg, hgCommit, hgOut, tryHg } from '../../adapters/hg/hg-lab.suite.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { RefUpdate } from '../../ports/code-storage.ts'

let lab: RepositoryLab
let port: number
let home: string
let ann: Principal
let copies = 0

const remote = (path: string, user?: string) => `http://${user ? `${user}:pw-${user}@` : ''}127.0.0.1:${port}/${path}`
const basic = (login: string) => ({ authorization: `Basic ${Buffer.from(`${login}:pw-${login}`).toString('base64')}` })

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

// Not fetch: it would tidy the path up before it is sent.
function send(path: string, headers: Record<string, string | string[]> = {}, options: { method?: string; body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { accept: 'application/mercurial-0.1', ...headers }
    const outgoing = httpRequest({ port, method: options.method ?? 'GET', path, headers: all }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('latin1') }),
      )
    })
    outgoing.on('error', reject).end(options.body)
  })
}

async function cloned(path: string, user?: string): Promise<string> {
  const copy = `${home}/copy-${copies++}`
  await hgOut(home, ['clone', '-q', remote(path, user), copy])
  return copy
}

async function pushed(path: string, files: Record<string, string>, user = 'root'): Promise<string> {
  const copy = await cloned(path, user)
  await hgCommit(copy, files)
  await hgOut(copy, ['push', '-q', remote(path, user)])
  return copy
}

const pushes = async (path: string) => {
  const { id } = await lab.as<{ id: string }>('repository.get', { repository: path })
  return (await lab.store.reader.pushes.page(id, { limit: 50, after: null })).items
}
const changesOf = async (path: string): Promise<RefUpdate[]> => ((await pushes(path))[0]?.changes ?? []) as RefUpdate[]

describe.skipIf(!hasHg())('Mercurial over HTTP', () => {
  beforeAll(async () => {
    lab = await openRepositoryLab()
    home = await mkdtemp(`${tmpdir()}/capstan-hg-http-`)
    port = await lab.serve()
    ann = await lab.user('ann')
    await lab.user('rita')
    await lab.user('bob')
    await lab.group('lab')
    await lab.make('lab/private', { kind: 'hg' })
    await lab.make('lab/public', { kind: 'hg', private: false })
    await lab.make('lab/git', { private: false })
    for (const path of ['lab/private', 'lab/public']) await lab.grant(ann, 'repository', path, 'write')
    const rita = (await lab.store.reader.users.byName('rita')) ?? { id: '' }
    await lab.grant({ ...ann, id: rita.id }, 'repository', 'lab/private', 'read')
    for (const path of ['lab/private', 'lab/public']) await pushed(path, { 'README.md': `${path}\n` })
  })
  afterAll(async () => {
    await lab.close()
    await rm(home, { recursive: true, force: true })
  })

  test('what is pushed is there for the next clone, and everybody hears of it as of a push of git', async () => {
    await lab.make('lab/round', { kind: 'hg' })
    const copy = await pushed('lab/round', { 'a/b': 'one\n', c: 'two\n' })
    const node = await hgOut(copy, ['log', '-r', 'tip', '-T', '{node}'])
    const other = await cloned('lab/round', 'root')
    expect(await hgOut(other, ['cat', 'a/b'])).toBe('one')
    expect(await hgOut(other, ['verify', '-q'])).toBe('')
    expect(await pushes('lab/round')).toMatchObject([{ state: 'done', user: 'root', changes: [{ ref: 'refs/heads/default', from: null, to: node }] }])
    const seen = await lab.as('repository.get', { repository: 'lab/round' })
    expect(seen).toMatchObject({ kind: 'hg', default_branch: 'default', last_commit: { id: node, revision: 0, author_name: 'Ann' } })
    const audit = await lab.store.reader.audit.page(
      { operation: 'repository.push', subject: 'repository:lab/round' } as never,
      { limit: 5, after: null } as never,
    )
    expect(JSON.stringify(audit)).toContain('"hg-http"')
    await hgCommit(other, { c: 'three\n' })
    await hgOut(other, ['push', '-q', remote('lab/round', 'root')])
    await hgOut(copy, ['pull', '-q', '-u', remote('lab/round', 'root')])
    expect(await hgOut(copy, ['cat', 'c'])).toBe('three')
  })

  test('branches, tags and bookmarks are refs, a closed branch is none, and a revision means what Mercurial takes it for', async () => {
    await lab.make('lab/refs', { kind: 'hg' })
    const copy = await pushed('lab/refs', { a: '1\n' })
    const first = await hgOut(copy, ['log', '-r', '0', '-T', '{node}'])
    await hgOut(copy, ['tag', '-r', '0', 'v1'])
    await hgOut(copy, ['branch', '-q', 'topic'])
    const topic = await hgCommit(copy, { b: '2\n' })
    await hgOut(copy, ['bookmark', '-r', '0', 'mark'])
    // It says with 1 that there was no changeset to push besides.
    expect((await tryHg(copy, ['push', '-q', '-B', 'mark', remote('lab/refs', 'root')])).code).toBe(1)
    expect(await changesOf('lab/refs')).toEqual([{ ref: 'refs/bookmarks/mark', from: null, to: first }])
    await hgOut(copy, ['push', '-q', '--new-branch', remote('lab/refs', 'root')])
    const at = (path: string, more: object = {}) =>
      lab.as<{ items: { name: string; commit: string; default?: boolean }[] }>(path, { repository: 'lab/refs', ...more })
    expect((await at('repository.list-branches')).items.map((it) => [it.name, it.default])).toEqual([
      ['default', true],
      ['topic', false],
    ])
    expect((await at('repository.list-tags')).items).toEqual([{ name: 'v1', commit: first }])
    const commits = async (revision: string) =>
      (await lab.as<{ items: { id: string }[] }>('repository.list-commits', { repository: 'lab/refs', revision })).items
    expect((await commits('mark')).map(({ id }) => id)).toEqual([first])
    for (const revision of ['topic', 'tip', '2', topic.slice(0, 12), topic, 'refs/heads/topic'])
      expect((await commits(revision))[0]?.id, revision).toBe(topic)
    for (const revision of ['all()', 'ancestors(tip)', '.', 'null', '-1000', 'no', `${topic.slice(0, 12)}^`])
      expect((await lab.refused(lab.root, 'repository.list-commits', { repository: 'lab/refs', revision })).code, revision).toBe('not_found')
    expect(await changesOf('lab/refs')).toContainEqual({ ref: 'refs/heads/topic', from: null, to: topic })
    await hgOut(copy, ['commit', '-q', '--close-branch', '-m', 'closed'])
    await hgOut(copy, ['push', '-q', remote('lab/refs', 'root')])
    expect((await at('repository.list-branches')).items.map(({ name }) => name)).toEqual(['default'])
    expect(await changesOf('lab/refs')).toContainEqual({ ref: 'refs/heads/topic', from: topic, to: null })
  })

  test('a bundle of some changesets, and a pull by revision, as Mercurial does them', async () => {
    await hgOut(home, ['init', 'bundled'])
    await hgOut(`${home}/bundled`, ['pull', '-q', '-r', '0', remote('lab/public')])
    await hgOut(`${home}/bundled`, ['bundle', '-q', '--all', '../all.hg'])
    await hgOut(home, ['init', 'unbundled'])
    await hgOut(`${home}/unbundled`, ['unbundle', '-q', '../all.hg'])
    expect(await hgOut(`${home}/unbundled`, ['cat', '-r', '0', 'README.md'])).toBe('lab/public')
    expect(await hgOut(home, ['identify', '--id', remote('lab/public')])).toMatch(/^[0-9a-f]{12}$/)
    const streamed = await tryHg(home, ['clone', '-q', '--stream', remote('lab/public'), 'streamed'])
    expect([streamed.code, await hgOut(`${home}/streamed`, ['cat', 'README.md'])]).toEqual([0, 'lab/public'])
  })

  test('a repository goes on under its new name, and under its number always', async () => {
    const { serial } = await lab.make('lab/old', { kind: 'hg' })
    const copy = await pushed('lab/old', { a: '1\n' })
    await lab.as('repository.update', { repository: 'lab/old', path: 'lab/new' })
    await hgCommit(copy, { a: '2\n' })
    await hgOut(copy, ['push', '-q', remote('lab/new', 'root')])
    expect(await hgOut(home, ['identify', '--num', '-r', '1', remote(`_${serial}`, 'root')]).catch(String)).toBeTruthy()
    expect((await send(`/_${serial}?cmd=heads`, basic('root'))).status).toBe(200)
    expect((await send('/lab/old?cmd=heads', basic('root'))).status).toBe(404)
  })

  test('who may is decided in the order of the contract, before Mercurial hears of it', async () => {
    const statuses = async (path: string, query: string, options: { method?: string; headers?: Record<string, string> } = {}) => {
      const type = options.method === 'POST' ? { 'content-type': 'application/mercurial-0.1' } : {}
      const of = async (headers: Record<string, string>) =>
        (await send(`${path}?${query}`, { ...type, ...options.headers, ...headers }, options)).status
      return [await of({}), await of(basic('bob')), await of(basic('rita')), await of(basic('ann')), await of({ authorization: 'Basic xxxx' })]
    }
    expect(await statuses('/lab/private', 'cmd=heads')).toEqual([401, 403, 200, 200, 401])
    expect(await statuses('/lab/public', 'cmd=heads')).toEqual([200, 200, 200, 200, 200])
    expect(await statuses('/lab/private', 'cmd=pushkey', { method: 'POST' })).toEqual([401, 403, 403, 500, 401])
    expect((await statuses('/lab/public', 'cmd=unknown', { method: 'POST' })).slice(0, 3)).toEqual([401, 403, 403])
    expect(await statuses('/lab/missing', 'cmd=heads')).toEqual([404, 404, 404, 404, 404])
    expect(await statuses('/lab/git', 'cmd=heads')).toEqual([404, 404, 404, 404, 404])
    expect(await statuses('/lab/private', 'x=y')).toEqual([400, 400, 400, 400, 400])
    expect(await statuses('/lab/private', 'cmd=heads&cmd=heads')).toEqual([400, 400, 400, 400, 400])
    expect((await send('/lab/private?cmd=heads')).headers['www-authenticate']).toBe('Basic realm="Kallithea"')
    // Without the Accept header it is no address of Mercurial's.
    expect((await send('/lab/public?cmd=heads', { accept: 'text/html' })).status).toBe(404)
    expect((await send('/lab/../lab/public?cmd=heads')).status).toBe(404)
    const refused = await tryHg(home, ['clone', '-q', remote('lab/private', 'bob'), 'nothing'])
    expect([refused.code, refused.err]).toEqual([255, expect.stringContaining('HTTP Error 403')])
  })

  test('a change in whatever disguise is refused to a reader, and nothing has changed', async () => {
    const before = (await send('/lab/public?cmd=listkeys', { 'x-hgarg-1': 'namespace=bookmarks' })).body
    const [, node] = /([0-9a-f]{40})/.exec((await send('/lab/public?cmd=heads')).body) ?? []
    const pushkey = `namespace=bookmarks&key=evil&old=&new=${node}`
    const type = { 'content-type': 'application/mercurial-0.1' }
    const hidden: [string, Record<string, string | string[]>, string?][] = [
      ['cmd=pushkey', { 'x-hgarg-1': pushkey }],
      ['cmd=batch', { 'x-hgarg-1': `cmds=pushkey+${encodeURIComponent(`namespace=bookmarks,key=evil,old=,new=${node}`)}` }],
      ['cmd=batch', { 'x-hgarg-1': `cmds=heads+%3Bpushkey+${encodeURIComponent(`namespace=bookmarks,key=evil,old=,new=${node}`)}` }],
      ['cmd=batch', { 'x-hgarg-1': 'cmds=heads+', 'x-hgargs-post': String(pushkey.length) }, pushkey],
      ['cmd=heads&cmd=pushkey', { 'x-hgarg-1': pushkey }],
      ['cmd=heads;cmd=pushkey', { 'x-hgarg-1': pushkey }],
      ['cmd=batch', { 'x-hgarg-1': ['cmds=heads+', 'cmds=pushkey+'] }],
      [`cmd=batch&cmds=${encodeURIComponent(`pushkey namespace=bookmarks,key=evil,old=,new=${node}`)}`, {}],
      ['cmd=pushkey', { 'x-hgarg-1': pushkey, 'x-capstan-repository': 'x', 'x-capstan-push': 'x', 'x-capstan-end': 'write' }],
    ]
    for (const [query, headers, body = ''] of hidden)
      for (const method of ['GET', 'POST']) {
        const answer = await send(`/lab/public?${query}`, { ...type, ...headers, 'content-length': String(body.length) }, { method, body })
        expect([400, 401], query).toContain(answer.status)
        const signed = await send(`/lab/public?${query}`, { ...type, ...headers, ...basic('rita') }, { method, body })
        expect([400, 403], query).toContain(signed.status)
      }
    expect((await send('/lab/public?cmd=listkeys', { 'x-hgarg-1': 'namespace=bookmarks' })).body).toBe(before)
    expect((await pushes('lab/public')).length).toBe(1)
  })

  test('a push without the right to it is refused with its body read, so that hg can say why', async () => {
    const copy = await cloned('lab/public')
    await hgCommit(copy, { big: 'x'.repeat(300_000) })
    const refused = await tryHg(copy, ['push', '-q', remote('lab/public', 'rita')])
    expect([refused.code, refused.err]).toEqual([255, expect.stringContaining('HTTP Error 403')])
    await hgOut(copy, ['push', '-q', remote('lab/public', 'ann')])
    expect(await pushes('lab/public')).toMatchObject([{ user: 'ann' }, { user: 'root' }])
  })

  test('an intent that cannot be recorded refuses the push: Mercurial rolls back, and the next push works', async () => {
    await lab.make('lab/unrecorded', { kind: 'hg' })
    const copy = await pushed('lab/unrecorded', { a: '1\n' })
    const before = await hgOut(copy, ['log', '-r', 'tip', '-T', '{node}'])
    await hgCommit(copy, { a: '2\n' })
    const { write } = lab.store
    let left = 0
    Object.assign(lab.store, {
      write: (...args: Parameters<typeof write>) => (left-- > 0 ? write.apply(lab.store, args) : Promise.reject(new Error('disk full'))),
    })
    const refused = await tryHg(copy, ['push', remote('lab/unrecorded', 'root')])
    Object.assign(lab.store, { write })
    expect(refused.code).toBe(255)
    expect((await lab.as<{ items: { commit: string }[] }>('repository.list-branches', { repository: 'lab/unrecorded' })).items[0]?.commit).toBe(
      before,
    )
    await hgOut(copy, ['push', '-q', remote('lab/unrecorded', 'root')])
    expect(await pushes('lab/unrecorded')).toHaveLength(2)
  })

  test('a client that leaves in the middle of its push has changed nothing, and the next one may push', async () => {
    const { id } = await lab.make('lab/left', { kind: 'hg' })
    const copy = await pushed('lab/left', { a: '1\n' })
    const sent = new Promise<void>((resolve) => {
      const headers = {
        accept: 'application/mercurial-0.1',
        'content-type': 'application/mercurial-0.1',
        'content-length': '100000',
        'x-hgarg-1': 'heads=666f726365',
        ...basic('root'),
      }
      const outgoing = httpRequest({ port, method: 'POST', path: '/lab/left?cmd=unbundle', headers })
      outgoing.on('error', () => resolve()).write('HG20\0\0\0\0', () => outgoing.destroy())
    })
    await sent
    await hgCommit(copy, { a: '2\n' })
    await hgOut(copy, ['push', '-q', remote('lab/left', 'root')])
    expect(await pushes('lab/left')).toHaveLength(2)
    expect(await lab.store.reader.pushes.openOnes()).toEqual([])
    expect((await lab.hg.refs(id)).size).toBe(1)
  })

  test('bodies without a length, of another type, or too long are refused', async () => {
    const type = { 'content-type': 'application/mercurial-0.1' }
    const at = '/lab/private?cmd=unbundle'
    const post = (headers: Record<string, string>, body = '') => send(at, { ...basic('ann'), ...headers }, { method: 'POST', body })
    expect((await post({ ...type, 'transfer-encoding': 'chunked' }, 'x')).status).toBe(411)
    expect((await post({ 'content-type': 'text/plain' }, 'x')).status).toBe(415)
    expect((await post({ ...type, 'content-length': String(9 * 1024 ** 3) })).status).toBe(413)
  })
})
