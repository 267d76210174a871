import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasHg } from '../../src/adapters/hg/hg-lab.suite.ts'
import { run } from '../../src/cli/run.ts'
import { operations } from '../../src/core/operations.ts'
import { git, gitUrl } from '../support/git.ts'
import { ran } from '../support/programs.ts'
import { startServer } from '../support/server.ts'
import type { Ran } from '../support/programs.ts'
import type { Person, Server } from '../support/server.ts'

// One story through everything: made by Kallithea's API, cloned and pushed by real clients, asked for, approved and merged; of git and of Mercurial alike.

let server: Server
let mira: Person
let jo: Person

beforeAll(async () => {
  server = await startServer()
  mira = await server.person('mira')
  jo = await server.person('jo')
}, 60_000)
afterAll(() => server?.close(), 30_000)

// biome-ignore lint/suspicious/noExplicitAny: the answers are read as scripts read them
async function ask(who: Person, method: string, args: object = {}): Promise<any> {
  const body = JSON.stringify({ id: method, api_key: who.token, method, args })
  const response = await fetch(`${server.url}/_admin/api`, { method: 'POST', body })
  const { id, result, error } = (await response.json()) as { id: string; result: unknown; error: string | null }
  expect([response.status, id]).toEqual([200, method])
  if (error !== null) throw new Error(`${method}: ${error}`)
  return result
}

async function capstan(who: Person, ...line: string[]): Promise<string> {
  const said = { out: '', err: '' }
  const status = await run(
    [...line, '--json'],
    { app: () => Promise.reject(new Error('no server is started here')), operations: async () => operations },
    {
      terminal: {
        out: (text) => void (said.out += text),
        err: (text) => void (said.err += text),
        interactive: false,
        screen: null,
        interruptible: (work) => work(new AbortController().signal),
        browse: async () => false,
        ask: async () => '',
        readAll: async () => '',
      },
      environment: { credentialsFile: join(server.folder, 'none'), server: server.url, token: who.token },
    },
  )
  if (status) throw new Error(`${line.join(' ')}: ${status}: ${said.err}`)
  return said.out
}

type Client = {
  readonly branch: string
  clone(who: Person, path: string, folder: string): Promise<void>
  commit(folder: string, files: Record<string, string>, message: string): Promise<string>
  push(who: Person, path: string, folder: string): Promise<Ran>
  /** The newest commit of the default branch, its parents and the text of a file in it. */
  tip(folder: string, file: string): Promise<{ id: string; parents: string[]; text: string }>
}

async function write(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
}

async function ok(command: Promise<Ran>): Promise<string> {
  const { code, out, err } = await command
  if (code !== 0) throw new Error(`${code}: ${err}${out}`)
  return out.trim()
}

const gitClient: Client = {
  branch: 'main',
  clone: async (who, path, folder) => {
    await ok(git(server.folder, ['-c', 'init.defaultBranch=main', 'clone', '-q', gitUrl(server.url, path, who), folder]))
  },
  async commit(folder, files, message) {
    await write(folder, files)
    await ok(git(folder, ['add', '-A']))
    await ok(git(folder, ['commit', '-q', '-m', message]))
    return ok(git(folder, ['rev-parse', 'HEAD']))
  },
  push: (who, path, folder) => git(folder, ['push', '-q', gitUrl(server.url, path, who), 'HEAD:main']),
  async tip(folder, file) {
    const [id = '', ...parents] = (await ok(git(folder, ['rev-list', '--parents', '-1', 'HEAD']))).split(' ')
    return { id, parents, text: await ok(git(folder, ['show', `HEAD:${file}`])) }
  },
}

const hg = (folder: string, ...args: string[]) =>
  ran(['hg', '--noninteractive', ...args], { cwd: folder, env: { HGRCPATH: '', HGPLAIN: '1', HGUSER: 'Mira Okafor <mira@lab.test>' } })

const hgClient: Client = {
  branch: 'default',
  clone: async (who, path, folder) => {
    await ok(hg(server.folder, 'clone', '-q', gitUrl(server.url, path, who), folder))
  },
  async commit(folder, files, message) {
    await write(folder, files)
    await ok(hg(folder, 'addremove', '-q'))
    await ok(hg(folder, 'commit', '-q', '-m', message))
    return ok(hg(folder, 'log', '-r', '.', '-T', '{node}'))
  },
  push: (who, path, folder) => hg(folder, 'push', '-q', gitUrl(server.url, path, who)),
  async tip(folder, file) {
    const [id = '', ...parents] = (await ok(hg(folder, 'log', '-r', 'tip', '-T', '{node} {p1node} {p2node}'))).split(' ')
    return { id, parents, text: await ok(hg(folder, 'cat', '-r', 'tip', file)) }
  },
}

describe.each([['git', gitClient] as const, ...(hasHg() ? [['hg', hgClient] as const] : [])])('a team with a %s repository', (kind, client) => {
  const path = `${kind}-team/api`
  const fork = `${kind}-team/api-mira`
  const at = (name: string) => join(server.folder, `${kind}-${name}`)
  let first: string
  let second: string
  let serial: number

  test('makes it by the API, and pushes to it', async () => {
    await ask(server.admin, 'create_repo_group', { group_name: `${kind}-team` })
    await ask(server.admin, 'create_repo', { repo_name: path, repo_type: kind, owner: 'ann', description: 'public api' })
    expect((await ask(mira, 'get_repo', { repoid: path })).last_changeset.revision).toBe(-1)
    await client.clone(server.admin, path, at('ann'))
    first = await client.commit(at('ann'), { 'a.txt': '1\n2\n3\n4\n5\n' }, 'first')
    await ok(client.push(server.admin, path, at('ann')))
    const repository = await ask(mira, 'get_repo', { repoid: path })
    expect(repository).toMatchObject({
      repo_type: kind,
      last_changeset: { raw_id: first, revision: 0, message: kind === 'git' ? 'first\n' : 'first' },
    })
  })

  test('forks it, and asks for what was pushed to the fork', async () => {
    await ask(server.admin, 'grant_user_permission_to_repo_group', { repogroupid: `${kind}-team`, userid: 'mira', perm: 'group.write' })
    await ask(mira, 'fork_repo', { repoid: path, fork_name: fork })
    await client.clone(mira, fork, at('mira'))
    second = await client.commit(at('mira'), { 'a.txt': '1\n2\n3\n4\n5\n6\n', 'b.txt': 'new\n' }, 'second')
    await ok(client.push(mira, fork, at('mira')))
    expect(await ask(mira, 'get_changesets', { repoid: fork, with_file_list: true })).toMatchObject([
      { raw_id: first, revision: 0, added: ['a.txt'] },
      { raw_id: second, revision: 1, added: ['b.txt'], changed: ['a.txt'], removed: [] },
    ])
    const ends = ['--source-repository', fork, '--source-branch', client.branch, '--target-branch', client.branch]
    serial = JSON.parse(await capstan(mira, 'pull-request', 'create', path, ...ends, '--title', 'A sixth line')).serial
    expect(await ask(jo, 'get_pullrequest', { pullrequest_id: serial })).toMatchObject({
      url: `/${path}/pull-request/${serial}/_/A_sixth_line`,
      owner: 'mira',
      revisions: [second],
      org_repo_url: `${server.url}/${fork}`,
      org_ref_parts: ['branch', client.branch, second],
      other_ref_parts: ['branch', client.branch, first],
      status: 'new',
      statuses: [{ status: 'under_review', reviewer: 'mira' }],
    })
  })

  test('lets nobody push past its protection, and merges what another has approved', async () => {
    await ask(server.admin, 'grant_user_permission', { repoid: path, userid: 'jo', perm: 'repository.write' })
    await capstan(server.admin, 'repository', 'protect-branch', path, '--branch', client.branch, '--approvals', '1')
    await client.clone(jo, path, at('jo'))
    const mine = await client.commit(at('jo'), { 'a.txt': '0\n1\n2\n3\n4\n5\n' }, 'past')
    const refused = await client.push(jo, path, at('jo'))
    expect([refused.code === 0, refused.err.includes('is protected')]).toEqual([false, true])
    await capstan(server.admin, 'repository', 'unprotect-branch', path, '--branch', client.branch)
    await ok(client.push(jo, path, at('jo')))
    await capstan(server.admin, 'repository', 'protect-branch', path, '--branch', client.branch, '--approvals', '1')
    expect(await ask(mira, 'edit_reviewers', { pull_request_id: serial, add: 'jo' })).toEqual({ added: ['jo'], already_present: [], removed: [] })
    expect(JSON.parse(await capstan(jo, 'pull-request', 'reject', String(serial), '--text', 'not yet'))).toMatchObject({ status: 'rejected' })
    await expect(capstan(jo, 'pull-request', 'merge', String(serial))).rejects.toThrow(/approved by 0 of the 1/)
    expect(await ask(jo, 'comment_pullrequest', { pull_request_id: String(serial), comment_msg: 'fine', status: 'approved' })).toBe(true)
    const merged = JSON.parse(await capstan(jo, 'pull-request', 'merge', String(serial)))
    expect(merged).toMatchObject({ state: 'merged', merge: { strategy: 'merge', by: 'jo' } })
    await client.clone(mira, path, at('after'))
    expect(await client.tip(at('after'), 'a.txt')).toEqual({ id: merged.merge.commit, parents: [mine, second], text: '0\n1\n2\n3\n4\n5\n6' })
    expect((await ask(mira, 'get_pullrequest', { pullrequest_id: serial })).status).toBe('closed')
    expect((await ask(jo, 'get_changeset', { repoid: fork, raw_id: second, with_reviews: true })).reviews).toMatchObject([
      { status: 'approved', reviewer: 'jo' },
    ])
    expect((await ask(jo, 'get_changesets', { repoid: path, max_revisions: 10 })).map(({ revision }: { revision: number }) => revision)).toEqual([
      0, 1, 2, 3,
    ])
    if (kind === 'git')
      expect(await ok(git(at('after'), ['ls-remote', gitUrl(server.url, fork, mira), `refs/pull/${serial}/head`]))).toContain(second)
  })

  test('is told the files that are in the way, and finds everything again after a kill', async () => {
    await client.commit(at('mira'), { 'b.txt': 'mine\n' }, 'third')
    await ok(client.push(mira, fork, at('mira')))
    await capstan(server.admin, 'repository', 'unprotect-branch', path, '--branch', client.branch)
    await client.commit(at('after'), { 'b.txt': 'theirs\n' }, 'fourth')
    await ok(client.push(jo, path, at('after')))
    const ends = ['--source-repository', fork, '--source-branch', client.branch, '--target-branch', client.branch]
    const other = JSON.parse(await capstan(mira, 'pull-request', 'create', path, ...ends, '--title', 'Against')).serial
    expect(JSON.parse(await capstan(jo, 'pull-request', 'check', String(other)))).toMatchObject({ mergeable: false, conflicts: ['b.txt'] })
    await expect(capstan(jo, 'pull-request', 'merge', String(other))).rejects.toThrow(/b\.txt/)
    const before = await ask(server.admin, 'get_repo', { repoid: path, with_pullrequests: true })
    const listed = await ask(server.admin, 'get_changesets', { repoid: path })
    await server.kill()
    await server.start()
    expect(await ask(server.admin, 'get_repo', { repoid: path, with_pullrequests: true })).toEqual(before)
    expect(await ask(server.admin, 'get_changesets', { repoid: path })).toEqual(listed)
    expect(before.pull_requests.map(({ status }: { status: string }) => status)).toEqual(['closed', 'new'])
  })
})
