import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { git, gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Person, Server } from '../support/server.ts'

// One system, several views: what was made through one API is there in every other, and on record once.

let server: Server
let bob: Person

beforeAll(async () => {
  server = await startServer()
  bob = await server.person('bob')
})
afterAll(() => server?.close())

type Line = { operation: string; via: string; actor: string; subject: string; outcome: string }

async function lines(filter: object): Promise<Line[]> {
  return (await server.admin.ok('audit.list', { limit: 1000, ...filter })).items
}

const lsRemote = (path: string, login: { name: string; password: string }) => git(server.folder, ['ls-remote', gitUrl(server.url, path, login)])

describe('a password', () => {
  test('signs in natively, by name and by address, and to git', async () => {
    await bob.ok('repository.create', { path: 'bob-lab' })
    for (const login of [bob.name, 'bob@lab.test', 'BOB']) {
      expect((await server.nobody.call('session.create', { login, password: bob.password })).status, login).toBe(200)
      expect((await lsRemote('bob-lab', { name: login, password: bob.password })).code, login).toBe(0)
    }
  })

  test('that was changed counts everywhere at once, and the old one nowhere', async () => {
    const carl = await server.person('carl')
    await carl.ok('repository.create', { path: 'carl-lab' })
    expect((await lsRemote('carl-lab', carl)).code).toBe(0)
    await carl.ok('user.set-password', { password: 'another phrase, as long', old_password: carl.password })
    expect((await lsRemote('carl-lab', carl)).code).not.toBe(0)
    expect((await lsRemote('carl-lab', { name: 'carl', password: 'another phrase, as long' })).code).toBe(0)
    expect((await server.nobody.call('session.create', { login: 'carl', password: carl.password })).status).toBe(401)
  })
})

describe('an API key', () => {
  test('works everywhere, in either spelling', async () => {
    for (const key of [bob.token, `S_${bob.token}_S`]) {
      const headers = { authorization: `Bearer ${key}` }
      expect(
        (await server.nobody.request('POST', '/api/v1/session.get', { headers: { ...headers, 'content-type': 'application/json' }, body: '{}' }))
          .status,
      ).toBe(200)
      expect((await server.nobody.get('/v1/pipeline/kill/no-such', headers)).status).toBe(404)
      expect((await lsRemote('bob-lab', { name: 'bob', password: key ?? '' })).code).toBe(0)
    }
  })
})

describe('a repository', () => {
  test('that is made natively can be pushed to, deployed from and read, each under the same path', async () => {
    expect((await pushTree(gitUrl(server.url, 'bob-lab', bob), shellTask('greet', 'echo hello'))).code).toBe(0)
    expect((await bob.ok('repository.get', { repository: 'bob-lab' })).last_commit.message.trim()).toBe('files')
    expect((await bob.get('/v1/task/deploy/bob-lab/greet')).status).toBe(200)
  })
})

describe('a run', () => {
  test('that the Deploy API started is a run of the native API, with the same state and the same log', async () => {
    const { items } = await bob.ok('run.list', { kind: 'task', name: 'greet' })
    expect(items).toHaveLength(1)
    const [{ id }] = items
    await until('it has ended', async () => (await bob.ok('run.get', { run: id })).state === 'succeeded')
    expect((await bob.get(`/v1/task/state/${id}`)).status).toBe(200)
    expect((await bob.get(`/api/v1/runs/${id}/log`)).text).toBe('hello\n')
  })

  test('is heard on the event stream, whichever API started it', async () => {
    const gone = new AbortController()
    const stream = await fetch(`${server.url}/api/v1/events`, { headers: { authorization: `Bearer ${bob.token}` }, signal: gone.signal })
    let heard = ''
    const hearing = (async () => {
      for await (const chunk of stream.body ?? []) heard += Buffer.from(chunk).toString()
    })().catch(() => {})
    const { json } = await bob.get('/v1/task/deployas/bob-lab/greet/heard')
    await until('its end is heard', () => heard.includes(json.id) && new RegExp(`"id":"${json.id}","name":"heard","state":"succeeded"`).test(heard))
    gone.abort()
    await hearing
  })
})

describe('a change', () => {
  const of = (operation: string, subject: string) => async () =>
    (await lines({ operation, subject })).map(({ via, actor, outcome }) => ({ via, actor, outcome }))
  const by = (via: string) => [{ via, actor: 'bob', outcome: 'succeeded' }]

  test('is on record once, under its native name, with the API that it came through', async () => {
    await bob.ok('repository.create', { path: 'recorded' })
    expect(await of('repository.create', 'repository:recorded')()).toEqual(by('native'))
    expect((await pushTree(gitUrl(server.url, 'recorded', bob), shellTask('greet', 'echo hello'))).code).toBe(0)
    expect(await of('repository.push', 'repository:recorded')()).toEqual(by('git-http'))
    expect((await bob.get('/v1/task/deploy/recorded/greet')).status).toBe(200)
    expect(await of('task.deploy', 'task:recorded/greet')()).toEqual(by('datatask'))
    await bob.ok('task.deploy', { repository: 'recorded', directory: 'greet', name: 'native' })
    expect(await of('task.deploy', 'task:recorded/native')()).toEqual(by('native'))
  })

  test('that is refused is no change: it is on record as refused, and nothing else is', async () => {
    const eve = await server.person('eve')
    expect((await eve.get('/v1/task/deploy/recorded/greet')).status).toBe(403)
    const refused = await until('the refusal is written', async () => {
      const found = await lines({ actor: 'eve', operation: 'task.deploy' })
      return found.length > 0 ? found : null
    })
    expect(refused.map(({ outcome, via }) => [outcome, via])).toEqual([[expect.stringMatching(/refused|forbidden|failed/), 'datatask']])
  })
})

describe('disabling a user', () => {
  test('closes the native API, the Deploy API and git within five seconds', async () => {
    const dan = await server.person('dan')
    await dan.ok('repository.create', { path: 'dan-lab' })
    const open = async () => [
      (await dan.call('session.get')).status === 200,
      (await dan.get('/v1/pipeline/kill/no-such')).status === 404,
      (await lsRemote('dan-lab', dan)).code === 0,
      (await server.nobody.call('session.create', { login: 'dan', password: dan.password })).status === 200,
    ]
    expect(await open()).toEqual([true, true, true, true])
    await server.admin.ok('user.disable', { user: 'dan' })
    await until('every API is closed', async () => (await open()).every((it) => !it), 5000)
  })
})
