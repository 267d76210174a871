import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib'
import { extract, pack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backup, createApp, restore } from '../src/app.ts'
import { gitOut, tryGit } from '../src/adapters/git/git-lab.suite.ts'
import { loadConfig } from '../src/config/load.ts'
import { system } from '../src/core/identity/principal.ts'
import { silentLog } from '../src/core/kernel/log.ts'
import { call } from './support/people.ts'
import { until } from './support/engine-lab.ts'
import type { Header } from 'tar-stream'
import type { App } from '../src/app.ts'

vi.setConfig({ testTimeout: 120_000 })

let home: string
let apps: App[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'capstan-backup-'))
  apps = []
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  rmSync(home, { recursive: true, force: true })
})

const password = 'correct horse battery'
const apiKey = 'k'.repeat(40)

function configOf(data: string) {
  const admin = { CAPSTAN_ADMIN_NAME: 'ann', CAPSTAN_ADMIN_PASSWORD: password, CAPSTAN_ADMIN_API_KEY: apiKey }
  const environment = {
    CAPSTAN_DATA: data,
    CAPSTAN_PORT: '0',
    CAPSTAN_GATEWAY_PORT: '0',
    CAPSTAN_SAMPLE: 'false',
    CAPSTAN_UNSANDBOXED: 'allow',
    ...admin,
  }
  return loadConfig({ folder: home, environment })
}

async function start(data: string) {
  const app = await createApp(await configOf(data), { log: silentLog })
  apps.push(app)
  const { address } = await app.listen()
  const as = (operation: string, input: unknown) => call(app.services, system, operation, input)
  return { app, address, as, remote: `${address.replace('http://', `http://ann:${apiKey}@`)}/lab/weather` }
}

const manifest = {
  type: 'job',
  name: 'fetch',
  cmd: ['sh', '/code/fetch.sh'],
  env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'value' } } }],
}

/** A server with a user, a group, a repository with a task, a secret and a run that used it. */
async function furnished(data: string) {
  const server = await start(data)
  const { as } = server
  await as('user.create', { name: 'bob', email: 'bob@lab.test', password: 'another long phrase' })
  await as('repository-group.create', { path: 'lab' })
  await as('repository.create', { path: 'lab/weather' })
  await as('secret.set', { name: 'token', value: 'the-canary-secret', scope: 'namespace:weather' })
  const files = [
    { path: 'fetch/manifest.json', text: JSON.stringify(manifest) },
    { path: 'fetch/code/fetch.sh', text: 'echo "reading $(printf %s "$TOKEN" | wc -c)"\n', executable: true },
  ]
  const { commit } = await as('repository.commit-files', { repository: 'lab/weather', message: 'A task', files })
  const run = await as('task.deploy', { repository: 'repository:lab/weather', directory: 'fetch', namespace: 'weather' })
  await until(async () => (await as('run.get', { run: run.id })).state === 'succeeded', 'the run to succeed')
  return { ...server, commit: commit as string, run: run.id as string }
}

type Packed = { header: Partial<Header> & { name: string }; bytes: Buffer }

/** All entries of an archive. */
async function entriesOf(file: string): Promise<Packed[]> {
  const tar = extract()
  const found: Packed[] = []
  const unzip = createGunzip()
  unzip.pipe(tar)
  unzip.end(readFileSync(file))
  for await (const entry of tar) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    found.push({ header: entry.header, bytes: Buffer.concat(chunks) })
  }
  return found
}

async function archive(file: string, entries: readonly Packed[]): Promise<void> {
  const tar = pack()
  for (const { header, bytes } of entries) {
    const { name, type = 'file', linkname, mode } = header
    tar.entry({ name, type, ...(mode !== undefined && { mode }), ...(linkname && { linkname }) }, bytes)
  }
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer)
  writeFileSync(file, gzipSync(Buffer.concat(chunks)))
}

test('a backup that is made while pushes go on is restored whole: sign-in, key, secret, repository, runs and audit trail', async () => {
  const source = join(home, 'data')
  const server = await furnished(source)
  const copy = join(home, 'copy')
  await gitOut(home, ['clone', '-q', server.remote, copy])
  let pushing = true
  let pushes = 0
  const pusher = (async () => {
    for (; pushing; pushes++) {
      writeFileSync(join(copy, 'counter'), String(pushes))
      await gitOut(copy, ['add', '.'])
      await gitOut(copy, ['commit', '-q', '-m', `push ${pushes}`])
      await gitOut(copy, ['push', '-q', 'origin', `HEAD:refs/heads/master`, `HEAD:refs/heads/b${pushes}`])
    }
  })()
  await until(() => pushes >= 2, 'the first pushes')
  const file = join(home, 'capstan.tar.gz')
  const lines = await backup(await configOf(source), file)
  const during = pushes
  await until(() => pushes > during, 'another push')
  pushing = false
  await pusher
  expect(lines[0]).toContain('1 repositories')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(home).filter((name) => name.startsWith('.'))).toEqual([])

  const data = join(home, 'restored')
  const said = await restore(await configOf(data), file)
  expect(said.join(' ')).toMatch(/2 users, 1 repositories, 1 runs/)
  expect(statSync(data).mode & 0o777).toBe(0o700)
  for (const key of readdirSync(join(data, 'keys'))) expect(statSync(join(data, 'keys', key)).mode & 0o777).toBe(0o600)
  expect(statSync(join(data, 'capstan.db')).mode & 0o777).toBe(0o600)
  expect(readdirSync(home).filter((name) => name.startsWith('.'))).toEqual([])

  const second = await start(data)
  const { token } = await call(second.app.services, { ...system, administrator: false }, 'session.create', {
    login: 'bob',
    password: 'another long phrase',
  })
  const post = (operation: string, credential: string, body: object) =>
    fetch(`${second.address}/api/v1/${operation}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  expect((await post('user.get', token, { user: 'bob' })).status).toBe(200)
  expect((await post('audit.list', apiKey, { limit: 200 })).status).toBe(200)

  // The head that the store tells of, or a later one, with all that it needs.
  const cloned = join(home, 'cloned')
  await gitOut(home, ['clone', '-q', second.remote, cloned])
  const log = (await gitOut(cloned, ['log', '--format=%H'])).split('\n')
  expect(log.at(-1)).toBe(server.commit)
  expect(log.length).toBeGreaterThan(2)
  const known = (await second.as('repository.get', { repository: 'lab/weather' })).last_commit.id
  expect(log).toContain(known)
  const { id } = await second.as('repository.get', { repository: 'lab/weather' })
  expect(
    await tryGit(join(data, 'repositories', `${id}.git`), ['-c', 'safe.directory=*', 'fsck', '--full', '--strict', '--no-dangling']),
  ).toMatchObject({ code: 0 })

  const run = await second.as('run.get', { run: server.run })
  expect(run).toMatchObject({ name: 'fetch', state: 'succeeded' })
  expect((await second.as('run.log', { run: server.run, step: run.steps[0].key })).text).toContain('reading 17')
  const audit = (await second.as('audit.list', { limit: 500 })).items.map((line: { operation: string }) => line.operation)
  for (const operation of ['user.create', 'secret.set', 'repository.commit-files', 'task.deploy', 'repository.push'])
    expect(audit).toContain(operation)

  // The secret still opens: a new run gets it.
  const again = await second.as('task.deploy', { repository: 'repository:lab/weather', directory: 'fetch', namespace: 'weather', name: 'again' })
  await until(async () => (await second.as('run.get', { run: again.id })).state === 'succeeded', 'the run to succeed')
  const step = (await second.as('run.get', { run: again.id })).steps[0].key
  expect((await second.as('run.log', { run: again.id, step })).text).toContain('reading 17')
})

test('the same data folder is restored byte for byte: what is kept aside and templates as well, and nothing of work, locks or drafts', async () => {
  const source = join(home, 'data')
  const server = await furnished(source)
  await server.as('repository.create', { path: 'lab/gone' })
  await server.as('repository.delete', { repository: 'lab/gone' })
  mkdirSync(join(source, 'templates', 'task'), { recursive: true })
  writeFileSync(join(source, 'templates', 'task', 'one.json'), '{}', { mode: 0o640 })
  // An empty folder is not kept: the next start makes it.
  writeFileSync(join(source, 'templates', 'pipeline', 'two.json'), '{}')
  await apps.splice(0)[0]?.close()
  const file = join(home, 'capstan.tar.gz')
  await backup(await configOf(source), file)
  // A second one takes its place.
  await backup(await configOf(source), file)
  const data = join(home, 'restored')
  // An empty folder is as good as none.
  mkdirSync(data)
  await restore(await configOf(data), file)
  for (const folder of ['keys', 'repositories', 'logs', 'templates']) {
    const differ = execFileSync('diff', ['-r', '-x', '.home', join(source, folder), join(data, folder)], { encoding: 'utf8' })
    expect(differ).toBe('')
  }
  expect(readdirSync(join(data, 'repositories')).filter((name) => name.startsWith('.aside-'))).toHaveLength(1)
  expect(statSync(join(data, 'templates', 'task', 'one.json')).mode & 0o777).toBe(0o640)
  expect(readdirSync(data).sort()).toEqual(['capstan.db', 'keys', 'logs', 'repositories', 'templates'])
  const names = (await entriesOf(file)).map(({ header }) => header.name)
  expect(names.at(0)).toBe('capstan-backup.json')
  expect(names.at(-1)).toBe('checksums')
  expect(readFileSync(file).includes('the-canary-secret')).toBe(false)
  expect(gunzipSync(readFileSync(file)).includes('the-canary-secret')).toBe(false)
})

test('a data folder that holds anything is left as it is, and the refusal says what to do', async () => {
  const source = join(home, 'data')
  await start(source)
  const file = join(home, 'capstan.tar.gz')
  await backup(await configOf(source), file)
  const before = readdirSync(source).sort()
  await expect(restore(await configOf(source), file)).rejects.toThrow(/not empty.*CAPSTAN_DATA/)
  expect(readdirSync(source).sort()).toEqual(before)
})

test('there is nothing to back up without a store, and no backup goes into the data folder or over a folder', async () => {
  const data = join(home, 'data')
  await expect(backup(await configOf(data), join(home, 'x'))).rejects.toThrow(/nothing to back up/)
  await start(data)
  await expect(backup(await configOf(data), join(data, 'x'))).rejects.toThrow(/inside of the data folder/)
  mkdirSync(join(home, 'folder'))
  await expect(backup(await configOf(data), join(home, 'folder'))).rejects.toThrow(/no file/)
  await expect(backup(await configOf(data), join(home, 'missing', 'x'))).rejects.toThrow(/cannot be written \(ENOENT\)/)
  expect(existsSync(join(data, 'x'))).toBe(false)
})

test('with PostgreSQL both commands name its own tools and the folders to copy', async () => {
  const config = { ...(await configOf(join(home, 'data'))), databaseUrl: 'postgres://capstan:hunter2@db/capstan' }
  for (const [command, tool] of [
    [backup, 'pg_dump'],
    [restore, 'pg_restore'],
  ] as const) {
    const error: Error = await command(config, join(home, 'x')).then(
      () => new Error('went through'),
      (reason) => reason,
    )
    expect(error.message).toContain(tool)
    expect(error.message).toMatch(/keys, repositories, logs and templates/)
    expect(error.message).not.toContain('hunter2')
  }
})

describe('a backup that is not as it was written', () => {
  let good: Packed[]
  let file: string
  let data: string

  beforeEach(async () => {
    const source = join(home, 'data')
    await start(source)
    await apps.splice(0)[0]?.close()
    file = join(home, 'capstan.tar.gz')
    data = join(home, 'restored')
    await backup(await configOf(source), file)
    good = await entriesOf(file)
  })

  async function refused(why: RegExp): Promise<void> {
    await expect(restore(await configOf(data), file)).rejects.toThrow(why)
    expect(existsSync(data)).toBe(false)
    expect(readdirSync(home).filter((name) => name.startsWith('.'))).toEqual([])
    expect(existsSync(join(home, 'evil'))).toBe(false)
  }

  const evil = (header: Packed['header'], bytes = Buffer.from('evil')) => archive(file, [...good.slice(0, 2), { header, bytes }, ...good.slice(2)])
  const nothing = Buffer.alloc(0)

  test.each([
    '../evil',
    '/tmp/evil',
    'keys/../../evil',
    'logs/./x',
    'logs//x',
    'logs/a\\b',
    'work/x',
    'capstan.lock',
    'repositories/evil/x',
    'repositories/..git/x',
    'plugins/x',
  ])('is refused for the path %j', async (name) => {
    await evil({ name })
    await refused(/which no backup of Capstan does/)
  })

  test.each(['symlink', 'link', 'character-device', 'block-device', 'fifo'] as const)('is refused for a %s', async (type) => {
    await evil({ name: 'logs/x', type, linkname: '/etc/passwd' }, nothing)
    await refused(/neither a file nor a folder/)
  })

  test('is refused when a name is there twice, when something was added, left out, changed or cut off', async () => {
    await evil({ name: 'keys/master.key' })
    await refused(/a name twice/)
    await evil({ name: 'logs/added' })
    await refused(/damaged or was cut off/)
    await archive(
      file,
      good.filter(({ header }) => header.name !== 'keys/master.key'),
    )
    await refused(/damaged or was cut off/)
    await archive(
      file,
      good.map((entry) => (entry.header.name === 'keys/master.key' ? { ...entry, bytes: Buffer.alloc(32) } : entry)),
    )
    await refused(/damaged or was cut off/)
    await archive(file, good.slice(0, -1))
    await refused(/damaged or was cut off/)
    await archive(file, good)
    truncateSync(file, Math.trunc(statSync(file).size / 2))
    await refused(/damaged or was cut off/)
  })

  test('is refused when it is of a newer program, of another kind, or not there', async () => {
    const about = (manifest: object) =>
      archive(file, [{ header: { name: 'capstan-backup.json' }, bytes: Buffer.from(JSON.stringify(manifest)) }, ...good.slice(1)])
    const known = JSON.parse(String(good[0]?.bytes))
    for (const newer of [{ version: '99.0.0' }, { format: 2 }, { migration: 9999 }]) {
      await about({ ...known, ...newer })
      await refused(/written by Capstan .*with that version/)
    }
    await about({ hello: 1 })
    await refused(/not a backup of Capstan/)
    await archive(file, good.slice(1))
    await refused(/not a backup of Capstan/)
    writeFileSync(file, 'no archive at all')
    await refused(/not a backup of Capstan/)
    rmSync(file)
    await refused(/cannot be read \(ENOENT\)/)
  })

  test('loses every mode bit that nobody needs', async () => {
    const open = good.map((entry) => ({ ...entry, header: { ...entry.header, mode: 0o6777 } }))
    await archive(file, open)
    await restore(await configOf(data), file)
    const modes = execFileSync('find', [data, '-type', 'f', '-perm', '/7022'], { encoding: 'utf8' })
    expect(modes).toBe('')
    expect(statSync(join(data, 'keys', 'master.key')).mode & 0o777).toBe(0o600)
    chmodSync(data, 0o700)
  })
})
