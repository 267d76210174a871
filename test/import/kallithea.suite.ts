import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { hgOut } from '../../src/adapters/hg/hg-lab.suite.ts'
import { openKallitheaLab } from '../../src/api/kallithea/kallithea-lab.suite.ts'
import { clientOf } from '../support/client.ts'
import { git } from '../support/git.ts'
import { until } from '../support/until.ts'
import { keys, makeRepositories, password, privateGist, rowsOf } from './kallithea-world.ts'
import type { KallitheaLab } from '../../src/api/kallithea/kallithea-lab.suite.ts'
import type { ImportReport } from '../../src/core/import/report.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

type Ended = { status: number | null; out: string; err: string }
type World = Awaited<ReturnType<typeof makeRepositories>>

type Options = {
  /** Makes the source, and gives what `--database` names. */
  readonly write: (folder: string, rows: ReturnType<typeof rowsOf>) => Promise<string>
  /** The address of the store; null: SQLite in the data folder. */
  readonly store: string | null
}

/** How an import holds from a database of one kind into a store of one kind. */
export function importSuite(title: string, { write, store }: Options): void {
  describe(title, () => {
    let folder: string
    let database: string
    let world: World
    let lab: KallitheaLab | null = null
    const opened = (): KallitheaLab => {
      if (!lab) throw new Error('the server of this test is not open')
      return lab
    }
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'capstan-import-'))
      await mkdir(join(folder, 'there'))
      world = await makeRepositories(join(folder, 'there'))
      database = await write(folder, rowsOf(world))
    })
    afterAll(async () => {
      await lab?.close()
      await rm(folder, { recursive: true, force: true })
    })

    function capstan(
      more: readonly string[],
      around: { data?: string; env?: Record<string, string>; watch?: (kill: () => void) => void } = {},
    ): Promise<Ended> {
      const args = ['import', 'kallithea', '--database', database, '--repositories', join(folder, 'there'), ...more]
      const data = join(folder, around.data ?? 'data')
      const ours = store === null || around.data !== undefined ? {} : { CAPSTAN_DATABASE_URL: store }
      const env = { PATH: process.env.PATH, HOME: folder, CAPSTAN_DATA: data, CAPSTAN_SAMPLE: 'false', ...ours, ...around.env }
      return new Promise((resolve) => {
        const child = spawn(process.execPath, [main, ...args], { cwd: folder, env })
        const said = { out: '', err: '' }
        child.stdout.on('data', (bytes) => (said.out += bytes))
        child.stderr.on('data', (bytes) => (said.err += bytes))
        around.watch?.(() => child.kill('SIGKILL'))
        child.on('close', (status) => resolve({ status, ...said }))
      })
    }
    async function reportOf(more: readonly string[] = [], around: Parameters<typeof capstan>[1] = {}): Promise<ImportReport> {
      const { status, out, err } = await capstan([...more, '--json'], around)
      if (status !== 0) throw new Error(`${err}${out}`)
      return JSON.parse(out) as ImportReport
    }

    test('a dry run tells what would come and what not and why, and leaves nothing behind', async () => {
      const report = await reportOf(['--dry-run'])
      expect(report.dry_run).toBe(true)
      expect(report.kinds).toMatchObject({
        user: { found: 5, brought: 4, refused: 1 },
        group: { found: 1, brought: 1 },
        'repository-group': { found: 2, brought: 2 },
        repository: { found: 8, brought: 4, refused: 4 },
        gist: { found: 3, brought: 2, refused: 1 },
        'pull-request': { found: 2, brought: 1, refused: 1 },
        comment: { found: 4, brought: 4 },
      })
      const why = (name: string) => report.notes.filter((note) => note.name === name).map((note) => `${note.what}: ${note.why}`)
      expect(why('12345')[0]).toMatch(/^refused: .*looks like an id/)
      expect(why('gone')).toEqual(['refused: its folder is not there'])
      expect(why('borrows')[0]).toMatch(/^refused: it borrows objects/)
      expect(why('linked')).toEqual(['refused: its folder is a link or a file'])
      expect(why('../outside')[0]).toMatch(/^refused/)
      expect(why('expired')).toEqual(['refused: it has expired'])
      expect(why('jo')).toEqual(['changed: it signed in through ldap; set a password for it'])
      expect(report.left.map(({ what }) => what).join()).toContain('e-mail addresses')
      expect(await readdir(join(folder, 'data', 'repositories'))).toEqual(expect.not.arrayContaining([expect.stringMatching(/\.(git|hg)$/)]))
    })

    test('a killed import goes on where it was, makes nothing twice, and a third one finds nothing to do', async () => {
      // While the second repository is copied: the first one is there by then.
      const stored = async () =>
        (await readdir(join(folder, 'data', 'repositories')).catch(() => [])).filter((name) => /^\w.*\.(git|hg)$/.test(name)).length
      const killed = await capstan([], { watch: (kill) => void until('a repository that was brought', async () => (await stored()) > 0).then(kill) })
      expect(killed.status).toBe(null)
      expect(killed.out).toBe('')
      const second = await reportOf()
      expect(second.kinds.user).toMatchObject({ found: 5, before: 4, refused: 1 })
      expect(second.kinds.repository.brought + second.kinds.repository.before).toBe(4)
      const third = await reportOf()
      expect(third.kinds).toMatchObject({
        user: { brought: 0, before: 4 },
        repository: { brought: 0, before: 4, refused: 4 },
        gist: { brought: 0, before: 2 },
        'pull-request': { brought: 0, before: 1 },
        comment: { found: 0 },
      })
    })

    test('the report for people names what was not brought', async () => {
      const { status, out } = await capstan([])
      expect(status).toBe(0)
      expect(out).toMatch(/repository +8 +0 +4 +4/)
      expect(out).toContain('repository 5 "gone": its folder is not there')
    })

    test('old keys work on the JSON-RPC API, expired ones do not, and everything has the number that it had', async () => {
      lab = await openKallitheaLab({ config: { data: join(folder, 'data'), databaseUrl: store } })
      const mira = { key: keys.mira }
      expect(await lab.result(mira, 'get_user')).toMatchObject({
        user_id: 3,
        username: 'mira',
        firstname: 'Mira',
        email: 'mira@old.test',
        admin: false,
      })
      expect(await lab.result({ key: keys.miraExtra }, 'get_user')).toMatchObject({ username: 'mira' })
      expect(await lab.error({ key: keys.miraOld }, 'get_user')).toBe('Invalid API key')
      expect(await lab.result({ key: keys.boss }, 'get_user', { userid: 2 })).toMatchObject({ username: 'boss', admin: true })
      const api = await lab.result(mira, 'get_repo', { repoid: 1 })
      expect(api).toMatchObject({
        repo_id: 1,
        repo_name: 'team/api',
        repo_type: 'git',
        owner: 'mira',
        enable_downloads: true,
        landing_rev: ['branch', 'master'],
      })
      expect(api.last_changeset.raw_id).toBe(world.first)
      expect(api.created_on).toMatch(/^2020-0[23]-/)
      expect(api.followers.map(({ username }: { username: string }) => username)).toEqual(['jo'])
      expect(await lab.result(mira, 'get_repo', { repoid: 'fork' })).toMatchObject({ repo_id: 4, fork_of: 'team/api' })
      expect(await lab.result(mira, 'get_repo', { repoid: 'team/sub/tool' })).toMatchObject({ repo_id: 2, repo_type: 'hg' })
    })

    test('who comes from elsewhere than the networks that were kept for a user is refused', async () => {
      // The test comes from loopback, and jo may come from 10.0.0.0/8.
      expect(await opened().error({ key: keys.jo }, 'get_user')).toBe('Invalid API key')
    })

    test('the old password signs in, is kept as one of ours then, and signs in again', async () => {
      const { app } = opened()
      const stored = async () => (await app.services.store.reader.users.byName('mira'))?.password_hash ?? ''
      expect(await stored()).toMatch(/^\$2b\$/)
      expect((await app.nobody.call('session.create', { login: 'mira', password: 'wrong words' })).status).toBe(401)
      expect(await stored()).toMatch(/^\$2b\$/)
      const both = await Promise.all([1, 2].map(() => app.nobody.call('session.create', { login: 'mira@old.test', password })))
      expect(both.map(({ status }) => status)).toEqual([200, 200])
      expect(await stored()).toMatch(/^\$argon2id\$/)
      expect((await app.nobody.call('session.create', { login: 'mira', password })).status).toBe(200)
      expect((await app.nobody.call('session.create', { login: 'jo', password: '' })).status).not.toBe(200)
      expect((await app.nobody.call('session.create', { login: 'off', password })).status).not.toBe(200)
    })

    test('permissions are as they were', async () => {
      const { result, error, app } = opened()
      const boss = { key: keys.boss }
      const members = async (repoid: string) => (await result(boss, 'get_repo', { repoid })).members
      expect(await members('team/api')).toEqual([{ name: 'default', type: 'user', permission: 'repository.read' }])
      expect(await members('team/sub/tool')).toEqual([
        { name: 'default', type: 'user', permission: 'repository.none' },
        { name: 'release', type: 'user_group', permission: 'repository.read' },
      ])
      expect(await members('mirror')).toContainEqual({ name: 'jo', type: 'user', permission: 'repository.write' })
      expect(await result(boss, 'get_user_group', { usergroupid: 4 })).toMatchObject({
        group_name: 'release',
        owner: 'mira',
        members: [{ username: 'jo' }],
      })
      const groups: { group_name: string; parent_group: string | null }[] = await result(boss, 'get_repo_groups')
      expect(groups.map(({ group_name, parent_group }) => [group_name, parent_group])).toEqual(
        expect.arrayContaining([
          ['team', null],
          ['team/sub', 'team'],
        ]),
      )
      // One who is no member of anything: of everybody's rights the making of repositories was taken there.
      const stranger = await opened().member('stranger')
      expect(await error(stranger, 'get_repo', { repoid: 'team/sub/tool' })).toContain('does not exist')
      expect(await error(stranger, 'create_repo', { repo_name: 'mine' })).toBe('no permission to create top level repo')
      expect(await error({ key: keys.mira }, 'create_repo', { repo_name: 'hers', repo_type: 'git' })).toBe(null)
      const jo = await app.services.store.reader.users.byName('jo')
      expect(await app.system('permission.get', { on: 'repository:mirror', user: `user:${jo?.id}` })).toMatchObject({ level: 'write' })
    })

    test('the password in the address of a mirror is sealed', async () => {
      expect((await opened().result({ key: keys.boss }, 'get_repo', { repoid: 'mirror' })).clone_uri).toBe('https://bob:*****@git.example/x')
      const rows = await opened().app.services.store.reader.resources.byName('repository', 'mirror')
      expect(JSON.stringify(rows)).not.toContain('hidden-word')
    })

    test('clones give what was there, of hooks and configuration nothing has come along', async () => {
      const { app } = opened()
      const host = new URL(app.url).host
      const cloned = await git(folder, ['clone', '-q', `http://mira:${encodeURIComponent(password)}@${host}/_1`, 'copy'])
      expect(cloned.err).toBe('')
      expect((await git(join(folder, 'copy'), ['rev-parse', 'HEAD'])).out.trim()).toBe(world.first)
      await hgOut(folder, ['clone', '-q', `http://mira:${keys.mira}@${host}/team/sub/tool`, 'tool'])
      expect(await readFile(join(folder, 'tool', 'tool.txt'), 'utf8')).toBe('tool\n')
      const repository = await app.services.store.reader.resources.byName('repository', 'team/api')
      const storage = join(folder, 'data', 'repositories', `${repository?.id}.git`)
      expect(await readFile(join(storage, 'config'), 'utf8')).not.toContain('sshCommand')
      await expect(readFile(join(storage, 'hooks', 'post-receive'))).rejects.toThrow('ENOENT')
    })

    test('gists have their addresses, and pull requests their reviewers, votes and comments', async () => {
      const { app, result } = opened()
      const mira = clientOf(app.url, keys.mira)
      expect((await mira.ok('gist.get', { gist: '1' })).files).toEqual([{ name: 'notes.md', text: 'public words\n' }])
      expect((await mira.ok('gist.get', { gist: privateGist })).files[0].text).toBe('private words\n')
      expect((await result({ key: keys.mira }, 'get_gists')).length).toBe(2)
      const request = await mira.ok('pull-request.get', { pull_request: '7' })
      expect(request).toMatchObject({
        serial: 7,
        state: 'open',
        title: 'Tidy',
        author: 'mira',
        repository: 'team/api',
        source_repository: 'fork',
        head: world.tidy,
      })
      expect(request.reviewers).toMatchObject([{ name: 'jo' }])
      expect(request.reviews).toContainEqual(expect.objectContaining({ by: 'jo', status: 'approved' }))
      const { items } = await mira.ok('pull-request.list-comments', { pull_request: '7' })
      expect(items.map(({ text }: { text: string }) => text)).toEqual(['', 'fine', 'why?'])
      const onCommit = await mira.ok('repository.list-commit-comments', { repository: 'team/api', revision: world.first })
      expect(onCommit.items).toMatchObject([{ text: 'on a commit', by: 'mira' }])
    })

    test('names and numbers that are taken are told, others can be chosen, and users be said to be the same', async () => {
      const around = { data: 'other', env: { CAPSTAN_ADMIN_NAME: 'mira', CAPSTAN_ADMIN_PASSWORD: 'another pass phrase' } }
      const first = await reportOf(['--dry-run'], around)
      const of = (report: ImportReport, name: string) => report.notes.filter((note) => note.name === name).map(({ why }) => why)
      expect(of(first, 'mira')[0]).toMatch(/its name is taken here.*--same-users/)
      expect(of(first, 'boss')).toContain('its number here is 10, because 2 is taken')
      expect(of(first, '1')).toEqual(['its owner is not here'])
      const rules = [
        '--rename',
        'user:12345=digits',
        '--rename',
        'repository-group:team=crew',
        '--rename',
        'repository:mirror=crew/mirror',
        '--same-users',
      ]
      const report = await reportOf(rules, around)
      expect(of(report, 'mira')).toEqual(['it is taken for the user "mira" of here, who stays as is'])
      expect(report.kinds).toMatchObject({ user: { brought: 5, refused: 0 }, repository: { brought: 4 }, gist: { brought: 2 } })
      const other = await openKallitheaLab({ config: { data: join(folder, 'other') } })
      try {
        const { app } = other
        expect(await app.services.store.reader.users.byName('digits')).toMatchObject({ serial: 5 })
        expect(await app.services.store.reader.users.byName('mira')).toMatchObject({ administrator: true, serial: 2 })
        for (const path of ['crew/api', 'crew/sub/tool', 'crew/mirror', 'fork'])
          expect(await app.services.store.reader.resources.byName('repository', path), path).not.toBe(null)
        // The keys and the password there were somebody else's word for who mira is.
        expect(await other.error({ key: keys.mira }, 'get_user')).toBe('Invalid API key')
        expect((await app.nobody.call('session.create', { login: 'mira', password })).status).toBe(401)
      } finally {
        await other.close()
      }
    })

    test('what is no database of Kallithea, and no folder, is refused in one line', async () => {
      const refused = async (more: readonly string[]) => {
        const { status, err } = await capstan(more, { data: 'none' })
        expect(status).toBe(1)
        return err
      }
      expect(await refused(['--database', join(folder, 'nothing.db')])).toMatch(/There is no file/)
      expect(await refused(['--database', main])).toMatch(/cannot be read as an SQLite database/)
      expect(await refused(['--database', 'mysql://root:hidden-word@localhost/x'])).toMatch(/database of mysql cannot be read/)
      expect(await refused(['--database', 'postgresql://root:hidden-word@127.0.0.1:1/x'])).not.toContain('hidden-word')
      expect(await refused(['--repositories', join(folder, 'nowhere')])).toMatch(/There is no folder/)
      await expect(readdir(join(folder, 'none'))).rejects.toThrow('ENOENT')
    })

    // Several servers can share a store in PostgreSQL: there the operator sees to it.
    test.skipIf(store !== null)('beside a running server an import refuses to begin', async () => {
      const { status, err } = await capstan([])
      expect(status).not.toBe(0)
      expect(err).toMatch(/server/)
    })
  })
}
