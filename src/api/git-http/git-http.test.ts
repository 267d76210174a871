import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commit, gitOut, gitProcesses, tryGit, until } from '../../adapters/git/git-lab.suite.ts'
import { flushPacket, packet } from '../../adapters/git/pkt-line.ts'
import { everyoneId } from '../../core/kernel/builtin.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../../core/identity/principal.ts'

let lab: RepositoryLab
let port: number
let home: string
let ann: Principal
let copies = 0

beforeAll(async () => {
  lab = await openRepositoryLab()
  home = await mkdtemp(`${tmpdir()}/capstan-git-http-`)
  port = await lab.serve()
  ann = await lab.user('ann')
  await lab.user('rita')
  await lab.user('bob')
  await lab.group('lab')
  await lab.make('lab/private')
  await lab.make('lab/public', { private: false })
  for (const path of ['lab/private', 'lab/public']) await lab.grant(ann, 'repository', path, 'write')
  const rita = (await lab.store.reader.users.byName('rita')) ?? { id: '' }
  await lab.grant({ ...ann, id: rita.id }, 'repository', 'lab/private', 'read')
  for (const path of ['lab/private', 'lab/public']) await pushed(path, { 'README.md': `${path}\n` })
})

afterAll(async () => {
  await lab.close()
  await rm(home, { recursive: true, force: true })
})

const remote = (path: string, user?: string) => `http://${user ? `${user}:pw-${user}@` : ''}127.0.0.1:${port}/${path}`
const basic = (login: string, password = `pw-${login}`) => ({ authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}` })

async function working(path: string, user = 'root'): Promise<string> {
  const copy = `${home}/copy-${copies++}`
  await gitOut(home, ['init', '-q', '-b', 'master', copy])
  await gitOut(copy, ['remote', 'add', 'origin', remote(path, user)])
  return copy
}

async function pushed(path: string, files: Record<string, string | Buffer>, user = 'root'): Promise<string> {
  const copy = await working(path, user)
  await commit(copy, files)
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
  return copy
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }

// Not fetch: it would tidy the path up before it is sent.
function send(method: string, path: string, headers: Record<string, string> = {}, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const advertise = (path: string, headers = {}, service = 'git-upload-pack') => send('GET', `/${path}/info/refs?service=${service}`, headers)
const uploadType = { 'content-type': 'application/x-git-upload-pack-request' }

async function wantOf(path: string): Promise<Buffer> {
  const tip = (await gitOut(home, ['ls-remote', remote(path, 'root'), 'HEAD'])).split('\t')[0]
  return Buffer.concat([packet(`want ${tip} ofs-delta no-progress\n`), flushPacket, packet('done\n')])
}

describe('what git does every day', () => {
  test('clone, push and fetch between two people; HEAD follows the first branch pushed', async () => {
    await lab.make('lab/daily')
    await lab.grant(ann, 'repository', 'lab/daily', 'write')
    const copy = await working('lab/daily', 'ann')
    await commit(copy, { 'a.txt': 'one\n' })
    await gitOut(copy, ['push', '-q', 'origin', 'HEAD:refs/heads/trunk'])
    expect(await gitOut(home, ['ls-remote', '--symref', remote('lab/daily', 'ann'), 'HEAD'])).toContain('ref: refs/heads/trunk')
    await gitOut(home, ['clone', '-q', remote('lab/daily', 'root'), 'daily-two'])
    const made = await commit(`${home}/daily-two`, { 'b.txt': 'two\n' })
    await gitOut(`${home}/daily-two`, ['push', '-q', 'origin', 'trunk'])
    await gitOut(copy, ['fetch', '-q', 'origin'])
    expect(await gitOut(copy, ['rev-parse', 'origin/trunk'])).toBe(made)
    const seen = await lab.as('repository.get', { repository: 'lab/daily' })
    expect(seen).toMatchObject({ default_branch: 'trunk', last_commit: { id: made, author_name: 'Ann' } })
    expect(seen.size).toBeGreaterThan(0)
  })

  test('a push is recorded once, with who did what to which ref, and a refused one leaves no line', async () => {
    await lab.make('lab/recorded')
    const copy = await pushed('lab/recorded', { a: '1' })
    const tip = await gitOut(copy, ['rev-parse', 'HEAD'])
    const lines = async () =>
      (await lab.store.reader.audit.page({ operation: 'repository.push', subject: 'repository:lab/recorded' }, { limit: 10, after: null })).items
    expect(await lines()).toMatchObject([
      { actor: 'root', via: 'git-http', outcome: 'succeeded', detail: { changes: [{ ref: 'refs/heads/master', from: null, to: tip }], count: 1 } },
    ])
    await gitOut(copy, ['commit', '-q', '--amend', '--allow-empty', '-m', 'other'])
    expect((await tryGit(copy, ['push', '-q', 'origin', 'master'])).code).not.toBe(0)
    expect(await lines()).toHaveLength(1)
    await gitOut(copy, ['push', '-q', '-f', 'origin', 'master'])
    const pushes = await lab.as<{ items: unknown[] }>('repository.list-pushes', { repository: 'lab/recorded' })
    expect(pushes.items).toMatchObject([
      { by: 'root', state: 'done', changes: [{ from: tip }] },
      { by: 'root', state: 'done', changes: [{ to: tip }] },
    ])
    expect(await lab.store.reader.pushes.openOnes()).toEqual([])
  })

  test('a repository that is renamed while it is cloned goes on under the new path and under its alias', async () => {
    const made = await lab.make('lab/before')
    const copy = await pushed('lab/before', { a: '1' })
    await lab.as('repository.update', { repository: 'lab/before', path: 'lab/after' })
    expect((await advertise('lab/before', basic('root'))).status).toBe(404)
    await gitOut(copy, ['remote', 'set-url', 'origin', remote('lab/after', 'root')])
    const tip = await commit(copy, { a: '2' })
    await gitOut(copy, ['push', '-q', 'origin', 'master'])
    expect(await gitOut(home, ['ls-remote', remote(`_${made.serial}`, 'root'), 'refs/heads/master'])).toContain(tip)
    expect((await advertise(`_${made.serial}`)).status).toBe(401)
    expect((await advertise(`_${made.serial}`, basic('bob'))).status).toBe(403)
  })

  test('two pushes race for one branch: one wins, the other is told so', async () => {
    await lab.make('lab/race')
    await pushed('lab/race', { a: '0' })
    const racers = await Promise.all(
      ['x', 'y'].map(async (name) => {
        await gitOut(home, ['clone', '-q', remote('lab/race', 'root'), `race-${name}`])
        await commit(`${home}/race-${name}`, { a: name })
        return `${home}/race-${name}`
      }),
    )
    const results = await Promise.all(racers.map((copy) => tryGit(copy, ['push', '-q', 'origin', 'master'])))
    expect(results.filter((result) => result.code === 0)).toHaveLength(1)
  })

  test('a deleted repository is gone for git, and a new one of its name brings no old grant and no old ref back', async () => {
    await lab.make('lab/gone')
    await lab.grant(ann, 'repository', 'lab/gone', 'write')
    await pushed('lab/gone', { secret: 'old' }, 'ann')
    await lab.as('repository.delete', { repository: 'lab/gone' })
    expect((await advertise('lab/gone', basic('ann'))).status).toBe(404)
    await lab.make('lab/gone')
    expect((await advertise('lab/gone', basic('ann'))).status).toBe(403)
    expect(await gitOut(home, ['ls-remote', remote('lab/gone', 'root')])).toBe('')
  })
})

describe('who is answered what (contract §12.2)', () => {
  test('without credentials: a missing repository is 404, a private one 401, a public one is served', async () => {
    for (const service of ['git-upload-pack', 'git-receive-pack']) {
      expect((await advertise('lab/missing', {}, service)).status).toBe(404)
      const refused = await advertise('lab/private', {}, service)
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Basic realm="Kallithea"'])
    }
    const served = await advertise('lab/public')
    expect(served.status).toBe(200)
    expect(served.headers['content-type']).toBe('application/x-git-upload-pack-advertisement')
    expect(served.headers['cache-control']).toContain('no-cache')
    expect((await advertise('lab/public', {}, 'git-receive-pack')).status).toBe(401)
    expect((await send('POST', '/lab/private/git-upload-pack', uploadType, Buffer.from('0000'))).status).toBe(401)
  })

  test('what everyone may do is served without a look at the Authorization header', async () => {
    expect((await advertise('lab/public', basic('bob', 'wrong'))).status).toBe(200)
    expect((await advertise('lab/public', { authorization: 'Basic !!!' })).status).toBe(200)
  })

  test('with credentials: wrong ones 401, a right user without a right 403, a missing repository 404', async () => {
    expect((await advertise('lab/private', basic('ann'))).status).toBe(200)
    expect((await advertise('lab/private', basic('ANN', 'pw-ann'))).status).toBe(200)
    expect((await advertise('lab/private', basic('ann@lab.test', 'pw-ann'))).status).toBe(200)
    for (const service of ['git-upload-pack', 'git-receive-pack']) expect((await advertise('lab/private', basic('bob'), service)).status).toBe(403)
    expect((await advertise('lab/private', basic('rita'), 'git-upload-pack')).status).toBe(200)
    expect((await advertise('lab/private', basic('rita'), 'git-receive-pack')).status).toBe(403)
    expect((await advertise('lab/missing', basic('bob'))).status).toBe(404)
    for (const authorization of [
      'Basic',
      'Basic !!!',
      basic('ann', 'wrong').authorization,
      basic('nobody').authorization,
      'Bearer nothing',
      'Negotiate x',
    ])
      expect((await advertise('lab/private', { authorization })).status, authorization).toBe(401)
  })

  test('a disabled user is kept out, and a grant that is taken back counts at once', async () => {
    const tom = await lab.user('tom')
    await lab.grant(tom, 'repository', 'lab/private', 'read')
    expect((await advertise('lab/private', basic('tom'))).status).toBe(200)
    await lab.store.write((tables) => tables.users.update(tom.id, { active: false }))
    expect((await advertise('lab/private', basic('tom'))).status).toBe(403)
    await lab.store.write((tables) => tables.users.update(tom.id, { active: true }))
    await lab.grant(tom, 'repository', 'lab/private', 'none')
    expect((await advertise('lab/private', basic('tom'))).status).toBe(403)
  })

  test('while anonymous access is closed a public repository asks for credentials, and a missing one is still 404', async () => {
    await lab.store.write((tables) => tables.users.update(everyoneId, { active: false }))
    try {
      expect((await advertise('lab/public')).status).toBe(401)
      expect((await advertise('lab/missing')).status).toBe(404)
      expect((await advertise('lab/public', basic('bob'))).status).toBe(200)
    } finally {
      await lab.store.write((tables) => tables.users.update(everyoneId, { active: true }))
    }
  })

  test('a reader who pushes with git hears of 403 and changes nothing', async () => {
    await gitOut(home, ['clone', '-q', remote('lab/private', 'rita'), 'rita'])
    await commit(`${home}/rita`, { x: 'x' })
    const push = await tryGit(`${home}/rita`, ['push', '-q', 'origin', 'HEAD:refs/heads/rita'])
    expect(push.code).not.toBe(0)
    expect(push.err).toContain('403')
    expect(await gitOut(home, ['ls-remote', remote('lab/private', 'ann')])).not.toContain('refs/heads/rita')
  })
})

describe('what is refused', () => {
  const climbing = [
    'lab/../lab/public',
    'lab/%2e%2e/lab/public',
    'lab/..%2flab%2fpublic',
    '%2e%2e/%2e%2e/etc',
    'lab/./public',
    'lab/public/.',
    'lab/public/..',
  ]
  const pretending = [
    'lab/public.git',
    'lab/public%00',
    'lab%5cpublic',
    'LAB/PUBLIC',
    'lab//public',
    'lab/public/',
    'lab/public%2f',
    'lab/%70ublic%2e%2e',
    '.git',
    '',
  ]
  const numbers = ['_0', '_99999999', '_-1', '_1e3', '_01', '_1/x']

  test.each([...climbing, ...pretending, ...numbers, '--upload-pack=touch', '~root/x', 'ext::sh%20-c%20touch', '%', '%ff', 'x'.repeat(3000)])(
    'the path %j is nobody’s, with or without credentials',
    async (path) => {
      for (const headers of [{}, basic('root')]) {
        expect([400, 404]).toContain((await advertise(path, headers)).status)
        expect([400, 404]).toContain((await send('POST', `/${path}/git-upload-pack`, { ...headers, ...uploadType }, Buffer.from('0000'))).status)
      }
    },
  )

  test('slashes in front are tolerated, and a path is decoded once', async () => {
    expect((await advertise('//lab/public')).status).toBe(200)
    expect((await advertise('lab/%70ublic')).status).toBe(200)
    expect((await advertise('lab/%2570ublic')).status).toBe(404)
  })

  test('the service must come first and be one of the two; without one it is 400, on a missing repository 404', async () => {
    for (const query of [
      '',
      '?',
      '?x=1&service=git-upload-pack',
      '?service=',
      '?service=git-upload-archive',
      '?service=git-upload-pack%00',
      '?service=--help',
      '?service=upload-pack',
    ])
      expect((await send('GET', `/lab/public/info/refs${query}`)).status, query).toBe(400)
    expect((await send('GET', '/lab/public/info/refs?service=git-upload-pack&x=1')).status).toBe(200)
    expect((await send('GET', '/lab/missing/info/refs')).status).toBe(404)
  })

  test('other methods and the files of a repository are not served, and POST needs its own content type', async () => {
    for (const service of ['git-upload-pack', 'git-receive-pack']) {
      const refused = await send('GET', `/lab/public/${service}`)
      expect([refused.status, refused.headers.allow]).toEqual([405, 'POST'])
    }
    expect((await send('POST', '/lab/public/info/refs?service=git-upload-pack', uploadType, Buffer.from('0000'))).status).toBe(405)
    for (const file of ['HEAD', 'config', 'objects/info/packs', 'packed-refs', 'hooks/pre-receive'])
      expect((await send('GET', `/lab/public/${file}`)).status).toBe(404)
    expect((await send('POST', '/lab/public/git-upload-pack', { 'content-type': 'text/plain' }, Buffer.from('0000'))).status).toBe(415)
    expect((await send('POST', '/lab/public/git-upload-pack', { ...uploadType, 'content-encoding': 'br' }, Buffer.from('0000'))).status).toBe(415)
  })

  test('a name that the wire allows and git does not is never taken as a ref', async () => {
    const tip = (await gitOut(home, ['ls-remote', remote('lab/public'), 'refs/heads/master'])).split('\t')[0]
    for (const bad of ['refs/heads/../../x', 'refs/heads/a..b', 'refs/heads/x.lock', 'config']) {
      const body = Buffer.concat([
        packet(`${'0'.repeat(40)} ${tip} ${bad}\0 report-status\n`),
        flushPacket,
        Buffer.from('5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e', 'hex'),
      ])
      const answer = await send(
        'POST',
        '/lab/public/git-receive-pack',
        { ...basic('ann'), 'content-type': 'application/x-git-receive-pack-request' },
        body,
      )
      expect(answer.status).toBeLessThan(500)
      expect(answer.body.toString()).not.toContain(`ok ${bad}`)
    }
    expect(await lab.store.reader.pushes.openOnes()).toEqual([])
  })
})

describe('bodies', () => {
  test('plain, gzip, x-gzip and chunked bodies are understood', async () => {
    const want = await wantOf('lab/public')
    const bodies: [Record<string, string>, Buffer][] = [
      [{}, want],
      [{ 'content-encoding': 'gzip' }, gzipSync(want)],
      [{ 'content-encoding': 'x-gzip' }, gzipSync(want)],
      [{ 'transfer-encoding': 'chunked' }, want],
    ]
    for (const [headers, body] of bodies) {
      const answer = await send('POST', '/lab/public/git-upload-pack', { ...uploadType, ...headers }, body)
      expect([answer.status, answer.body.subarray(0, 12).toString()]).toEqual([200, '0008NAK\nPACK'])
      expect(answer.headers['content-type']).toBe('application/x-git-upload-pack-result')
    }
  })

  test('broken or cut-off gzip, and what is not the protocol, is a clean 400', async () => {
    const want = gzipSync(await wantOf('lab/public'))
    const gzip = { ...uploadType, 'content-encoding': 'gzip' }
    expect((await send('POST', '/lab/public/git-upload-pack', gzip, Buffer.from('this is not gzip'))).status).toBe(400)
    expect((await send('POST', '/lab/public/git-upload-pack', gzip, want.subarray(0, want.length - 12))).status).toBe(400)
    expect((await send('POST', '/lab/public/git-upload-pack', uploadType, Buffer.from('zzzz not a packet'))).status).toBe(400)
    const push = { ...basic('ann'), 'content-type': 'application/x-git-receive-pack-request' }
    expect((await send('POST', '/lab/public/git-receive-pack', push, Buffer.from('zzzz not a packet'))).status).toBe(400)
    expect((await send('POST', '/lab/public/git-receive-pack', push, Buffer.from('0000'))).status).toBe(200)
  })

  test('a body over the limit is 413, unpacked as well as announced', async () => {
    const small = await openRepositoryLab()
    try {
      const at = await small.serve({ bodyLimitBytes: 1000 })
      await small.make('open', { private: false })
      const ask = (headers: Record<string, string>, body: Buffer) =>
        new Promise<number>((resolve, reject) => {
          const outgoing = httpRequest(
            { port: at, method: 'POST', path: '/open/git-upload-pack', headers: { ...uploadType, ...headers } },
            (response) => {
              response.resume()
              resolve(response.statusCode ?? 0)
            },
          )
          outgoing.on('error', reject)
          outgoing.end(body)
        })
      expect(await ask({}, Buffer.alloc(1001, 'x'))).toBe(413)
      const filler = packet(`have ${'0'.repeat(40)}\n`)
      const bomb = gzipSync(Buffer.concat([packet(`want ${'1'.repeat(40)}\n`), flushPacket, ...Array.from({ length: 10_000 }, () => filler)]))
      expect(bomb.length).toBeLessThan(1000 * 10)
      expect(await ask({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' }, bomb)).toBe(413)
    } finally {
      await small.close()
    }
  })

  test('a client that goes away leaves no git process behind', async () => {
    await lab.make('lab/leave', { private: false })
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.bin`, randomBytes(1 << 20)]))
    await pushed('lab/leave', files)
    const want = await wantOf('lab/leave')
    const serving = () => gitProcesses(`${lab.folder}/repositories`, 'upload-pack')
    let seen = 0
    await Promise.all(
      Array.from(
        { length: 4 },
        () =>
          new Promise<void>((resolve, reject) => {
            const socket = connect(port, '127.0.0.1', () => {
              socket.write(
                `POST /lab/leave/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-upload-pack-request\r\nContent-Length: ${want.length}\r\n\r\n`,
              )
              socket.write(want)
            })
            socket.once('data', () => {
              seen += serving().length
              socket.destroy()
              resolve()
            })
            socket.on('error', reject)
          }),
      ),
    )
    expect(seen).toBeGreaterThan(0)
    await until('git of clients that left has ended', () => serving().length === 0)
  })
})
