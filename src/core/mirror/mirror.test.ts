import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { git } from '../../../test/support/git.ts'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { settlePush } from '../repository/push-record.ts'
import { specOf } from '../repository/spec.ts'
import { ran } from '../../../test/support/programs.ts'
import { mirrorKind } from './schedule-row.ts'
import { mirrorSource } from './schedule.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'

vi.setConfig({ testTimeout: 60_000 })

let lab: RepositoryLab
let port: number
let work: string

beforeEach(async () => {
  lab = await openRepositoryLab()
  port = await lab.serve()
  work = join(lab.folder, 'work')
  mkdirSync(work)
  await git(work, ['init', '-q', '-b', 'main'])
})
afterEach(() => lab.close())

type Pulled = { changes: { ref: string; from: string | null; to: string }[]; skipped: string[]; from: string }

/** Where `path` of this lab is, as somebody outside would name it. */
const remote = (path: string, login = 'root:pw-root@') => `http://${login}git.test:${port}/${path}`

/** Commits and pushes to `path`; gives the commit. */
async function push(path: string, branch = 'main'): Promise<string> {
  writeFileSync(join(work, 'file'), String(Math.random()))
  await git(work, ['add', '-A'])
  await git(work, ['commit', '-q', '-m', 'more'])
  const pushed = await git(work, ['push', '-q', '-f', `http://root:pw-root@127.0.0.1:${port}/${path}`, `HEAD:refs/heads/${branch}`])
  if (pushed.code !== 0) throw new Error(pushed.err)
  return (await git(work, ['rev-parse', 'HEAD'])).out.trim()
}

test('a repository made with clone_uri is a copy when the answer comes, and shows neither in answers nor in records what its password is', async () => {
  await lab.make('there')
  const head = await push('there')
  const here = await lab.make('here', { clone_uri: remote('there') })
  expect(here).toMatchObject({
    clone_uri: `http://root:*****@git.test:${port}/there`,
    default_branch: 'main',
    last_commit: { id: head },
    pull_error: null,
  })
  expect(here.pulled_at).not.toBeNull()
  expect([...(await lab.git.refs(here.id))]).toEqual([['refs/heads/main', head]])
  const row = await lab.store.reader.resources.byId(here.id)
  const audit = await lab.store.reader.audit.page({}, { limit: 100, after: null })
  expect(JSON.stringify([row, audit, lab.logged])).not.toContain('pw-root')
})

test('a masked address that is sent back as it is leaves the stored one, a changed one does not, and an empty one takes it away', async () => {
  await lab.make('there')
  await lab.make('else')
  await push('there')
  const { clone_uri } = await lab.make('here', { clone_uri: remote('there') })
  await lab.as('repository.update', { repository: 'here', clone_uri })
  const to = await push('there')
  expect((await lab.as<Pulled>('repository.pull', { repository: 'here', clone_uri })).changes).toMatchObject([{ ref: 'refs/heads/main', to }])
  const changed = String(clone_uri).replace('there', 'else')
  expect((await lab.refused(lab.root, 'repository.update', { repository: 'here', clone_uri: changed })).code).toBe('invalid_input')
  expect((await lab.refused(lab.root, 'repository.pull', { repository: 'here', clone_uri: changed })).code).toBe('invalid_input')
  expect(await lab.as('repository.update', { repository: 'here', clone_uri: '' })).toMatchObject({ clone_uri: '' })
  expect((await lab.refused(lab.root, 'repository.pull', { repository: 'here' })).code).toBe('state_conflict')
})

test('an address is asked before it is kept: what cannot be read, or may not be called, leaves everything as it was and the name free', async () => {
  await lab.make('there')
  for (const [uri, code] of [
    [remote('there', ''), 'remote_unavailable'],
    [remote('there', 'root:wrong@'), 'remote_unavailable'],
    [remote('nowhere'), 'remote_unavailable'],
    [`http://inner.test:${port}/there`, 'egress_refused'],
    [`http://169.254.169.254/there`, 'egress_refused'],
    ['file:///etc', 'invalid_input'],
    ['ext::sh', 'invalid_input'],
  ] as const) {
    const before = await lab.git.list()
    expect((await lab.refused(lab.root, 'repository.create', { path: 'here', clone_uri: uri })).code, uri).toBe(code)
    expect((await lab.refused(lab.root, 'repository.update', { repository: 'there', clone_uri: uri })).code, uri).toBe(code)
    expect(await lab.git.list()).toEqual(before)
  }
  expect(await lab.as('repository.get', { repository: 'there' })).toMatchObject({ clone_uri: null })
  await lab.make('here')
})

test('a pull is recorded as a push of the caller, tells followers, and once more changes nothing', async () => {
  await lab.make('there')
  const from = await push('there')
  const { id } = await lab.make('here', { clone_uri: remote('there') })
  const [to, other] = [await push('there'), await push('there', 'other')]
  const heard: string[] = []
  lab.services.events.subscribe((event) => void (event.id === id && heard.push(event.state)))
  const pulled = await lab.as<Pulled>('repository.pull', { repository: 'here' })
  const changes = [
    { ref: 'refs/heads/main', from, to },
    { ref: 'refs/heads/other', from: null, to: other },
  ]
  expect(pulled).toMatchObject({ changes, skipped: [], from: `http://root:*****@git.test:${port}/there` })
  expect(heard).toEqual(['pushed'])
  expect(await lab.as('repository.list-pushes', { repository: 'here' })).toMatchObject({ items: [{ by: 'root', state: 'done', changes }] })
  expect(await lab.as('repository.get', { repository: 'here' })).toMatchObject({ last_commit: { id: expect.stringMatching(`${to}|${other}`) } })
  expect((await lab.as<Pulled>('repository.pull', { repository: 'here' })).changes).toEqual([])
  expect((await lab.as<{ items: unknown[] }>('repository.list-pushes', { repository: 'here' })).items).toHaveLength(1)
})

test('a fork pulls from its parent, as long as the caller may read that', async () => {
  await lab.make('there')
  await push('there')
  const ann = await lab.user('ann')
  await lab.grant(ann, 'repository', 'there', 'read')
  await lab.as('repository.fork', { repository: 'there', path: 'here', owner: 'ann' })
  const to = await push('there')
  expect((await lab.call<Pulled>(ann, 'repository.pull', { repository: 'here' })).changes).toMatchObject([{ ref: 'refs/heads/main', to }])
  await lab.grant(ann, 'repository', 'there', 'none')
  await push('there')
  expect((await lab.refused(ann, 'repository.pull', { repository: 'here' })).code).toBe('state_conflict')
})

test('why a mirror stands still can be read, until it moves again', async () => {
  const server = createServer((_, answer) => answer.writeHead(503).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await lab.make('there')
  await push('there')
  const { id } = await lab.make('here', { clone_uri: remote('there') })
  await lab.as('repository.update', { repository: 'there', path: 'moved' })
  expect((await lab.refused(lab.root, 'repository.pull', { repository: 'here' })).code).toBe('remote_unavailable')
  expect(String((await lab.as('repository.get', { repository: id })).pull_error)).toMatch(/cannot be copied from/)
  await lab.as('repository.update', { repository: 'moved', path: 'there' })
  await lab.as('repository.pull', { repository: 'here' })
  expect((await lab.as('repository.get', { repository: id })).pull_error).toBeNull()
  const away = `http://git.test:${(server.address() as AddressInfo).port}/x`
  expect((await lab.refused(lab.root, 'repository.pull', { repository: 'here', clone_uri: away })).message).toMatch(/answers with an error/)
  expect((await lab.as('repository.get', { repository: id })).pull_error, 'an address of one time says nothing about the mirror').toBeNull()
  server.close()
})

test('a pull that was cut off between its branches and its record is recorded by the next start', async () => {
  await lab.make('there')
  const from = await push('there')
  const { id } = await lab.make('here', { clone_uri: remote('there') })
  const to = await push('there')
  const write = lab.store.write.bind(lab.store)
  // From the moment that the branches have moved the store says nothing any more, as a killed server would.
  const store = vi.spyOn(lab.store, 'write').mockImplementation(async (work) => {
    if ((await lab.git.refs(id)).get('refs/heads/main') === to) throw new Error('killed')
    return write(work)
  })
  await lab.refused(lab.root, 'repository.pull', { repository: 'here' })
  store.mockRestore()
  const [open] = await lab.store.reader.pushes.openOnes()
  expect(open).toMatchObject({ repository_id: id, commands: [{ ref: 'refs/heads/main', from, to }] })
  if (open) await settlePush(lab.services, open)
  expect(await lab.as('repository.list-pushes', { repository: 'here' })).toMatchObject({ items: [{ state: 'done', changes: [{ from, to }] }] })
})

test('a schedule pulls as whoever set it, once for each of its times, and as nobody when they may not any more', async () => {
  await lab.make('there')
  await push('there')
  const ann = await lab.user('ann')
  const { id } = await lab.make('here', { clone_uri: remote('there'), owner: 'ann' })
  expect((await lab.refused(ann, 'repository.update', { repository: 'here', pull_schedule: 'now and then' })).code).toBe('invalid_input')
  await lab.call(ann, 'repository.update', { repository: 'here', pull_schedule: '*/5 * * * *' })
  const schedule = await lab.store.reader.schedules.byName(mirrorKind, '', id)
  if (!schedule) throw new Error('There is no schedule')
  expect(schedule.next_at).toBeGreaterThan(lab.services.clock.now())
  const source = mirrorSource(lab.services)
  await push('there')
  await source.fire(schedule, 300_000)
  await push('there')
  await source.fire(schedule, 300_000)
  const pushes = async () => (await lab.as<{ items: { by: string }[] }>('repository.list-pushes', { repository: 'here' })).items
  expect(
    (await pushes()).map(({ by }) => by),
    'the second time was of the same slot',
  ).toEqual(['ann'])
  await lab.as('repository.update', { repository: 'here', owner: 'root' })
  await source.fire(schedule, 600_000)
  expect(await pushes()).toHaveLength(1)
  await lab.as('repository.update', { repository: 'here', pull_schedule: '' })
  expect((await lab.store.reader.schedules.byId(schedule.id))?.deleted_at).not.toBeNull()
  expect(await lab.store.reader.schedules.nextAt()).toBeNull()
})

test('a schedule of a repository that is gone ends with it', async () => {
  const { id } = await lab.make('here', { pull_schedule: '0 * * * *' })
  const schedule = await lab.store.reader.schedules.byName(mirrorKind, '', id)
  if (!schedule) throw new Error('There is no schedule')
  await lab.as('repository.delete', { repository: 'here' })
  await mirrorSource(lab.services).fire(schedule, 300_000)
  expect(await lab.store.reader.schedules.nextAt()).toBeNull()
})

test('the sealed address of one repository is of no use to another', async () => {
  await lab.make('there')
  await push('there')
  const [one, two] = [await lab.make('one', { clone_uri: remote('there') }), await lab.make('two')]
  const row = await lab.store.reader.resources.byId(one.id)
  const other = await lab.store.reader.resources.byId(two.id)
  if (!row || !other) throw new Error('They are there')
  await lab.store.write((tables) => tables.resources.update(two.id, { spec: { ...specOf(other), clone_sealed: specOf(row).clone_sealed } }))
  expect((await lab.refused(lab.root, 'repository.pull', { repository: 'two' })).code).toBe('internal')
})

test('a Mercurial repository is copied and pulled as well, and a remote of the other kind is refused', async ({ skip }) => {
  if (lab.services.hg.missing !== null) skip('hg is not installed')
  const there = join(lab.folder, 'there')
  mkdirSync(there)
  const env = { HGRCPATH: '', HGPLAIN: '1', HGUSER: 'ann', PATH: '/usr/bin:/bin', PYTHONUNBUFFERED: '1' }
  const hg = async (...args: string[]) => {
    const { code, out, err } = await ran(['hg', ...args], { cwd: there, env })
    if (code !== 0) throw new Error(err)
    return out.trim()
  }
  const more = async (text: string) => {
    writeFileSync(join(there, 'a'), text)
    await hg('commit', '-q', '-A', '-m', text)
    return hg('log', '-r', '.', '-T', '{node}')
  }
  await hg('init')
  const from = await more('one')
  const serving = spawn('hg', ['serve', '-v', '-a', '127.0.0.1', '-p', '0'], { cwd: there, env })
  let said = ''
  for (const stream of [serving.stdout, serving.stderr]) stream.on('data', (text) => (said += text))
  try {
    await vi.waitUntil(() => /:\d+/.test(said), { timeout: 20_000 })
    const clone_uri = `http://ann:secret@hg.test:${/:(\d+)/.exec(said)?.[1]}/`
    const here = await lab.make('here', { kind: 'hg', clone_uri })
    expect(here).toMatchObject({ kind: 'hg', clone_uri: clone_uri.replace('secret', '*****'), last_commit: { id: from } })
    const to = await more('two')
    const pulled = await lab.as<Pulled>('repository.pull', { repository: 'here' })
    expect(pulled.changes).toEqual([{ ref: 'refs/heads/default', from, to }])
    expect(await lab.as('repository.list-pushes', { repository: 'here' })).toMatchObject({ items: [{ state: 'done', changes: [{ from, to }] }] })
    const before = [await lab.git.list(), await lab.services.hg.list()]
    expect((await lab.refused(lab.root, 'repository.create', { path: 'wrong', clone_uri })).code).toBe('remote_unavailable')
    await lab.make('gits')
    await push('gits')
    expect((await lab.refused(lab.root, 'repository.create', { path: 'wrong', kind: 'hg', clone_uri: remote('gits') })).code).toBe(
      'remote_unavailable',
    )
    expect(await lab.services.hg.list()).toEqual(before[1])
  } finally {
    serving.kill('SIGKILL')
  }
})
