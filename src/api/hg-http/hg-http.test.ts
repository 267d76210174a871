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
})
