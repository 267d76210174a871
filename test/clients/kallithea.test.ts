import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openApp } from '../support/app.ts'
import { ran } from '../support/programs.ts'
import { kallitheaClients } from './kallithea-package.ts'
import type { TestApp } from '../support/app.ts'

// Clients that were written for Kallithea, unmodified, against the whole server.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

let app: TestApp
let key: string
let home: string

beforeAll(async () => {
  app = await openApp()
  home = mkdtempSync(join(tmpdir(), 'capstan-clients-'))
  await app.person('root', { administrator: true })
  key = ((await app.system('api-key.create', { label: 'clients', user: 'root' })) as { secret: string }).secret
  await app.system('repository.create', { path: 'weather', downloads: true })
  await app.system('repository.commit-files', { repository: 'weather', branch: 'main', message: 'first', files: [{ path: 'a', text: 'ä\n' }] })
})
afterAll(async () => {
  await app?.close()
  rmSync(home, { recursive: true, force: true })
})

const clients = await kallitheaClients()
const required = (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('clients')
if ('missing' in clients && required) throw new Error(`Kallithea's clients are required for this run of the tests: ${clients.missing}`)
if ('missing' in clients) test.skip(`kallithea-api and kallithea-gist: ${clients.missing}`, () => undefined)
else {
  const run = (program: string, args: readonly string[], more: { input?: string } = {}) => ran([program, ...args], { env: { HOME: home }, ...more })
  const to = () => [`--apikey=${key}`, `--apihost=${new URL(app.url).origin}/`]
  const api = async (...args: string[]) => (await run(clients.api, [...to(), '--format=json', ...args])).out

  describe('kallithea-api', () => {
    test('says what a method gives, in both of its formats', async () => {
      const { code, out } = await run(clients.api, [...to(), 'get_repo', 'repoid:weather'])
      expect(code).toBe(0)
      expect(out).toMatch(/^Calling method get_repo => http:.*\nServer response \n\{\n {4}"clone_uri": null,/)
      expect(JSON.parse(await api('get_repo', 'repoid:weather', 'with_revision_names:True'))).toMatchObject({
        repo_name: 'weather',
        branches: { main: expect.stringMatching(/^[0-9a-f]{40}$/) },
      })
    })

    test('shows errors as they are, and ends well all the same', async () => {
      const { code, out } = await run(clients.api, [...to(), 'get_repo'])
      expect([code, out.split('\n').at(-2)]).toEqual([0, 'ERROR:"Missing non optional `repoid` arg in JSON DATA"'])
      expect(await api('get_user', 'userid:nobody')).toBe('"user `nobody` does not exist"\n')
      expect((await run(clients.api, ['--apikey=x', to()[1] ?? '', 'get_repos'])).out).toContain('ERROR:"Invalid API key"')
    })

    test('makes, changes and removes with words for everything', async () => {
      expect(await api('create_repo', 'repo_name:made', 'repo_type:git', 'private:True', 'description:a: b')).toContain(
        'Created new repository `made`',
      )
      const { repo_id, description } = JSON.parse(await api('get_repo', 'repoid:made'))
      expect(description).toBe('a: b')
      expect(await api('update_repo', `repoid:${repo_id}`, 'enable_downloads:true')).toContain(`updated repo ID:${repo_id} made`)
      expect(await api('create_user', 'username:mira', 'email:mira@lab.test', 'password:a phrase that is long')).toContain('created new user `mira`')
      expect(await api('grant_user_permission', 'repoid:made', 'userid:mira', 'perm:repository.write')).toContain('Granted perm: `repository.write`')
      expect(JSON.parse(await api('get_changesets', 'repoid:weather', 'max_revisions:1'))).toMatchObject([{ message: 'first' }])
      expect(await api('delete_repo', 'repoid:made')).toContain('Deleted repository `made`')
    })

    test('keeps where and who in a file, and uses it', async () => {
      const config = join(home, 'kept.json')
      expect((await run(clients.api, [...to(), `--config=${config}`, '--save-config'])).out).toBe(`Created new config in ${config}\n`)
      expect(statSync(config).size).toBeGreaterThan(40)
      const { out } = await run(clients.api, [`--config=${config}`, '--format=json', 'get_user'])
      expect(JSON.parse(out)).toMatchObject({ username: 'root', admin: true })
    })
  })

  describe('kallithea-gist', () => {
    // With `-`: without it the client looks whether its input is a pipe, and what Node makes is a socket.
    test('makes a gist of what it reads, without a description', async () => {
      const { code, out } = await run(clients.gist, [...to(), '-'], { input: 'one\nä\n' })
      expect(code).toBe(0)
      const url = /Created public gist (\S+)\n$/.exec(out)?.[1] ?? ''
      const shown = await fetch(`${new URL(app.url).origin}${new URL(url).pathname}/tip/raw/gistfile1.txt`)
      expect([shown.status, await shown.text()]).toEqual([200, 'one\nä\n'])
    })

    test('makes a private one with a name, a description and an end', async () => {
      const args = [...to(), '-p', '-f', 'notes.md', '-d', 'why', '-l', '5', '--format=json', '-']
      const { gist } = JSON.parse((await run(clients.gist, args, { input: '# x' })).out)
      expect(gist).toMatchObject({ type: 'private', description: 'why' })
      expect(Math.abs(gist.expires - Date.parse(`${gist.created_on}Z`) / 1000 - 300)).toBeLessThan(1)
      expect(await (await fetch(`${new URL(app.url).origin}/_admin/gists/${gist.access_id}/tip/raw`)).text()).toBe('# x')
      expect(await api('get_gist', `gistid:${gist.access_id}`)).toContain('"private"')
      expect(await api('delete_gist', `gistid:${gist.gist_id}`)).toContain(`deleted gist ID:${gist.access_id}`)
    })

    test('says what went wrong', async () => {
      const { code } = await run(clients.gist, [...to(), '-f', '.hidden', '-'], { input: 'x' })
      expect(code).toBe(1)
    })
  })
}

describe('curl', () => {
  const curl = (...args: string[]) => ran(['curl', '-sS', ...args])
  const at = (path: string) => `${new URL(app.url).origin}${path}`

  test('the published example: one line of JSON, whatever type curl gives it', async () => {
    const body = JSON.stringify({ id: 1, api_key: key, method: 'get_repo', args: { repoid: 'weather' } })
    for (const type of [[], ['-H', 'content-type:text/plain']]) {
      const { code, out } = await curl(at('/_admin/api'), '-X', 'POST', ...type, '--data-binary', body)
      expect(code).toBe(0)
      expect(JSON.parse(out)).toMatchObject({ id: 1, error: null, result: { repo_name: 'weather', repo_type: 'git' } })
    }
  })

  test('files and archives by address, with the key in the address or beside it', async () => {
    expect((await curl('-f', at(`/weather/raw/main/a?api_key=${key}`))).out).toBe('ä\n')
    expect((await curl('-f', '-H', `Authorization: Bearer ${key}`, at('/weather/changeset-diff/main'))).out).toContain('+ä\n')
    const { code } = await curl('-f', '-o', join(home, 'weather.tar.gz'), '-H', `Authorization: Bearer ${key}`, at('/weather/archive/main.tar.gz'))
    expect(code).toBe(0)
    const { out } = await ran(['tar', '-tzf', join(home, 'weather.tar.gz')])
    expect(out).toMatch(/^weather-[0-9a-f]{12}\/\nweather-[0-9a-f]{12}\/a\n$/)
  })
})

describe('a client that sends everything it knows of, null where it was told nothing', () => {
  let count = 0
  /** As the .NET client does: the id a text, numbers as text, no arguments as null, and it trusts the members of the answer. */
  async function call(method: string, args: Record<string, unknown> | null) {
    const id = String(++count)
    const answer = await fetch(`${new URL(app.url).origin}/_admin/api`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ id, api_key: key, method, args }),
    })
    expect(answer.status, method).toBe(200)
    // biome-ignore lint/suspicious/noExplicitAny: the client reads members of results as it knows them
    const { id: same, result, error } = (await answer.json()) as { id: unknown; result: any; error: unknown }
    expect([same, error], method).toEqual([id, null])
    return result
  }

  test('goes through a day: a user, a group, a repository, a gist', async () => {
    expect(await call('get_users', null)).toContainEqual(expect.objectContaining({ username: 'root' }))
    const person = { username: 'dana', email: 'dana@lab.test', password: null, firstname: null, lastname: null, active: null, admin: null }
    const { user } = await call('create_user', { ...person, extern_type: null, extern_name: null })
    expect(user).toMatchObject({ username: 'dana', firstname: '', active: true, admin: false })
    const { user_group } = await call('create_user_group', { group_name: 'crew', description: null, owner: null, active: true })
    expect(user_group).toMatchObject({ group_description: null, owner: 'root' })
    await call('add_user_to_user_group', { usergroupid: String(user_group.users_group_id), userid: String(user.user_id) })
    const { repo_group } = await call('create_repo_group', {
      group_name: 'team',
      description: null,
      owner: null,
      parent: null,
      copy_permissions: null,
    })
    expect(repo_group).toMatchObject({ group_description: 'team' })
    const repository = { owner: null, description: null, private: null, clone_uri: null, landing_rev: 'rev:tip' }
    const switches = { enable_statistics: null, enable_downloads: null, copy_permissions: null }
    await call('create_repo', { repo_name: 'team/api', repo_type: 'git', ...repository, ...switches })
    const nothing = { name: null, owner: null, group: null, private: null, clone_uri: null, landing_rev: null, enable_statistics: null }
    const { repository: updated } = await call('update_repo', { repoid: 'team/api', ...nothing, description: 'public', enable_downloads: true })
    expect(updated).toMatchObject({ repo_name: 'team/api', description: 'public', enable_downloads: true, private: false })
    const seen = await call('get_repo', { repoid: String(updated.repo_id), with_revision_names: null, with_pullrequests: null })
    expect(seen).toMatchObject({ owner: 'root', fork_of: null, last_changeset: { revision: -1 } })
    const span = { start: null, end: null, start_date: null, end_date: null, branch_name: null, reverse: null, with_file_list: null }
    expect(await call('get_changesets', { repoid: 'weather', ...span, max_revisions: '1' })).toHaveLength(1)
    expect(await call('get_repo_nodes', { repoid: 'weather', revision: 'main', root_path: '/', ret_type: null })).toEqual([
      { name: 'a', type: 'file' },
    ])
    const { gist } = await call('create_gist', {
      files: { a: { content: 'x', lexer: null } },
      owner: null,
      gist_type: null,
      lifetime: null,
      description: null,
    })
    expect(gist).toMatchObject({ type: 'public', description: '', expires: -1 })
    expect(await call('get_gists', { userid: null })).toContainEqual(gist)
    expect(await call('delete_gist', { gistid: String(gist.gist_id) })).toMatchObject({ gist: null })
    await call('delete_repo', { repoid: 'team/api', forks: null })
  })
})
