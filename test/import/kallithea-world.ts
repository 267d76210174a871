import { createHash } from 'node:crypto'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { hashSync } from 'bcryptjs'
import pg from 'pg'
import { hgCommit, hgOut } from '../../src/adapters/hg/hg-lab.suite.ts'
import { git } from '../support/git.ts'

/** An installation of Kallithea 0.7, made small: its database and the folder of its repositories. */

type Value = string | number | boolean | null
type Rows = Readonly<Record<string, readonly Readonly<Record<string, Value>>[]>>

const password = 'correct horse'
const key = (name: string) => createHash('sha1').update(name).digest('hex')
const keys = { mira: key('mira'), miraExtra: key('mira extra'), miraOld: key('mira expired'), boss: key('boss'), jo: key('jo') }
const privateGist = 'abcdefghJKLMNPQRSTuv'

// Column by column as the published model has them; `flag` and `at` stand for what each engine calls booleans and times.
const schema: Readonly<Record<string, string>> = {
  users:
    'user_id integer primary key, username varchar(255) not null, password varchar(255) not null, active flag not null, admin flag not null, firstname varchar(255) not null, lastname varchar(255) not null, email varchar(255), last_login at, extern_type varchar(255), extern_name varchar(255), api_key varchar(255) not null, created_on at not null',
  user_api_keys:
    'user_api_key_id integer primary key, user_id integer, api_key varchar(255), description text, expires double precision, created_on at',
  user_email_map: 'email_id integer primary key, user_id integer, email varchar(255)',
  user_ip_map: 'ip_id integer primary key, user_id integer, ip_addr varchar(255), active flag',
  user_followings: 'user_following_id integer primary key, user_id integer, follows_repository_id integer, follows_user_id integer, follows_from at',
  user_logs: 'user_log_id integer primary key, username varchar(255), action text',
  users_groups:
    'users_group_id integer primary key, users_group_name varchar(255), user_group_description text, users_group_active flag, user_id integer, created_on at',
  users_groups_members: 'users_group_member_id integer primary key, users_group_id integer, user_id integer',
  groups: 'group_id integer primary key, group_name varchar(255), group_parent_id integer, group_description text, user_id integer, created_on at',
  repositories:
    'repo_id integer primary key, repo_name varchar(255), repo_state varchar(255), clone_uri varchar(255), repo_type varchar(255), user_id integer, private flag, statistics flag, downloads flag, description text, created_on at, updated_on at, landing_revision varchar(255), fork_id integer, group_id integer',
  permissions: 'permission_id integer primary key, permission_name varchar(255)',
  user_to_perm: 'user_to_perm_id integer primary key, user_id integer, permission_id integer',
  users_group_to_perm: 'users_group_to_perm_id integer primary key, users_group_id integer, permission_id integer',
  repo_to_perm: 'repo_to_perm_id integer primary key, user_id integer, permission_id integer, repository_id integer',
  users_group_repo_to_perm: 'users_group_to_perm_id integer primary key, users_group_id integer, permission_id integer, repository_id integer',
  user_repo_group_to_perm: 'group_to_perm_id integer primary key, user_id integer, group_id integer, permission_id integer',
  users_group_repo_group_to_perm:
    'users_group_repo_group_to_perm_id integer primary key, users_group_id integer, group_id integer, permission_id integer',
  user_user_group_to_perm: 'user_user_group_to_perm_id integer primary key, user_id integer, permission_id integer, user_group_id integer',
  user_group_user_group_to_perm:
    'user_group_user_group_to_perm_id integer primary key, target_user_group_id integer, permission_id integer, user_group_id integer',
  gists:
    'gist_id integer primary key, gist_access_id varchar(250), gist_description text, user_id integer, gist_expires double precision, gist_type varchar(128), created_on at, modified_at at',
  pull_requests:
    'pull_request_id integer primary key, title varchar(255), description text, status varchar(255), created_on at, updated_on at, user_id integer, revisions text, org_repo_id integer, org_ref varchar(255), other_repo_id integer, other_ref varchar(255)',
  pull_request_reviewers: 'pull_requests_reviewers_id integer primary key, pull_request_id integer, user_id integer',
  changeset_comments:
    'comment_id integer primary key, repo_id integer, revision varchar(40), pull_request_id integer, line_no varchar(10), f_path varchar(1000), user_id integer, text text, created_on at, modified_at at',
  changeset_statuses:
    'changeset_status_id integer primary key, repo_id integer, user_id integer, revision varchar(40), status varchar(128), changeset_comment_id integer, modified_at at, version integer, pull_request_id integer',
}

const permissionNames = [
  ...['hg.admin', 'repository.none', 'repository.read', 'repository.write', 'repository.admin', 'group.none', 'group.read', 'group.write'],
  ...['group.admin', 'usergroup.none', 'usergroup.read', 'usergroup.write', 'usergroup.admin', 'hg.usergroup.create.false'],
  ...['hg.usergroup.create.true', 'hg.create.none', 'hg.create.repository', 'hg.fork.none', 'hg.fork.repository'],
]
const permission = (name: string) => permissionNames.indexOf(name) + 1

const at = '2020-03-01 08:30:00.042000'
const later = '2020-03-02 10:00:00'

type Commits = { readonly first: string; readonly tidy: string }

/** The repositories on disk, made by real git and real hg. */
async function makeRepositories(root: string): Promise<Commits> {
  const work = join(root, '..', 'work')
  await mkdir(join(root, 'team', 'sub'), { recursive: true })
  await mkdir(work, { recursive: true })
  await writeFile(join(work, 'README.md'), '# api\n')
  const run = async (folder: string, args: readonly string[]) => {
    const { code, out, err } = await git(folder, args)
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${err}`)
    return out.trim()
  }
  await run(work, ['init', '-q', '-b', 'master'])
  await run(work, ['add', '-A'])
  await run(work, ['commit', '-q', '-m', 'first'])
  const first = await run(work, ['rev-parse', 'HEAD'])
  await run(work, ['clone', '-q', '--bare', work, join(root, 'team', 'api')])
  await run(work, ['clone', '-q', '--bare', work, join(root, 'mirror')])
  await run(work, ['checkout', '-q', '-b', 'tidy'])
  await writeFile(join(work, 'tidy.txt'), 'tidy\n')
  await run(work, ['add', '-A'])
  await run(work, ['commit', '-q', '-m', 'tidy'])
  const tidy = await run(work, ['rev-parse', 'HEAD'])
  await run(work, ['clone', '-q', '--bare', work, join(root, 'fork')])
  // What must not come along: a hook, and a configuration that names programs.
  await mkdir(join(root, 'team', 'api', 'hooks'), { recursive: true })
  await writeFile(join(root, 'team', 'api', 'hooks', 'post-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  await run(join(root, 'team', 'api'), ['config', 'core.sshCommand', '/bin/false'])
  // Hostile ones: one that borrows from another, one that is a link.
  await run(work, ['clone', '-q', '--bare', '--shared', work, join(root, 'borrows')])
  await symlink(join(root, 'team', 'api'), join(root, 'linked'))

  const tool = join(root, 'team', 'sub', 'tool')
  await hgOut(root, ['init', tool])
  await hgCommit(tool, { 'tool.txt': 'tool\n' }, 'tool')
  await writeFile(join(tool, '.hg', 'hgrc'), '[hooks]\noutgoing = /bin/false\npreoutgoing = /bin/false\n')
  for (const [name, text] of [
    ['1', 'public words\n'],
    [privateGist, 'private words\n'],
  ] as const) {
    const folder = join(root, '.rc_gist_store', name)
    await mkdir(join(root, '.rc_gist_store'), { recursive: true })
    await hgOut(root, ['init', folder])
    await hgCommit(folder, { 'notes.md': text }, 'gist')
  }
  return { first, tidy }
}

function rowsOf({ first, tidy }: Commits): Rows {
  const hash = hashSync(password, 6)
  const user = { active: true, admin: false, firstname: '', lastname: '', last_login: null, extern_type: 'internal', extern_name: '', created_on: at }
  const repository = {
    ...{ repo_state: 'repo_state_created', clone_uri: null, repo_type: 'git', user_id: 3, private: false, statistics: false, downloads: false },
    ...{ description: '', created_on: at, updated_on: later, landing_revision: 'rev:tip', fork_id: null, group_id: null },
  }
  const comment = { repo_id: 4, revision: null, pull_request_id: 7, line_no: null, f_path: null, created_on: later, modified_at: later }
  return {
    permissions: permissionNames.map((permission_name, index) => ({ permission_id: index + 1, permission_name })),
    users: [
      { ...user, user_id: 1, username: 'default', password: '', email: 'anonymous@kallithea', api_key: key('default') },
      { ...user, user_id: 2, username: 'boss', password: hash, email: 'boss@old.test', admin: true, api_key: keys.boss },
      { ...user, user_id: 3, username: 'mira', password: hash, email: 'mira@old.test', firstname: 'Mira', lastname: 'Okafor', api_key: keys.mira },
      { ...user, user_id: 4, username: 'jo', password: '', email: 'jo@old.test', extern_type: 'ldap', api_key: keys.jo },
      { ...user, user_id: 5, username: '12345', password: hash, email: null, api_key: key('digits') },
      { ...user, user_id: 9, username: 'off', password: hash, email: 'no address', active: false, api_key: key('off') },
    ],
    user_api_keys: [
      { user_api_key_id: 1, user_id: 3, api_key: keys.miraExtra, description: 'build', expires: -1, created_on: at },
      { user_api_key_id: 2, user_id: 3, api_key: keys.miraOld, description: 'old', expires: 1_600_000_000, created_on: at },
    ],
    user_email_map: [{ email_id: 1, user_id: 3, email: 'mira@second.test' }],
    user_ip_map: [{ ip_id: 1, user_id: 4, ip_addr: '10.0.0.0/8', active: true }],
    user_followings: [{ user_following_id: 1, user_id: 4, follows_repository_id: 1, follows_user_id: null, follows_from: at }],
    user_logs: [{ user_log_id: 1, username: 'mira', action: 'pull' }],
    users_groups: [
      {
        users_group_id: 4,
        users_group_name: 'release',
        user_group_description: 'cuts releases',
        users_group_active: true,
        user_id: 3,
        created_on: at,
      },
    ],
    users_groups_members: [
      { users_group_member_id: 1, users_group_id: 4, user_id: 4 },
      { users_group_member_id: 2, users_group_id: 4, user_id: 5 },
    ],
    // The upper one has the higher number, as after a move.
    groups: [
      { group_id: 1, group_name: 'team/sub', group_parent_id: 2, group_description: 'sub', user_id: 3, created_on: at },
      { group_id: 2, group_name: 'team', group_parent_id: null, group_description: 'team', user_id: 3, created_on: at },
    ],
    repositories: [
      {
        ...repository,
        repo_id: 1,
        repo_name: 'team/api',
        group_id: 2,
        description: 'public api',
        landing_revision: 'branch:master',
        downloads: true,
      },
      { ...repository, repo_id: 2, repo_name: 'team/sub/tool', repo_type: 'hg', group_id: 1 },
      { ...repository, repo_id: 3, repo_name: 'mirror', private: true, clone_uri: 'https://bob:hidden-word@git.example/x' },
      { ...repository, repo_id: 4, repo_name: 'fork', fork_id: 1 },
      { ...repository, repo_id: 5, repo_name: 'gone' },
      { ...repository, repo_id: 6, repo_name: 'borrows' },
      { ...repository, repo_id: 7, repo_name: 'linked' },
      { ...repository, repo_id: 8, repo_name: '../outside' },
    ],
    user_to_perm: [
      { user_to_perm_id: 1, user_id: 1, permission_id: permission('hg.create.none') },
      { user_to_perm_id: 2, user_id: 1, permission_id: permission('hg.fork.repository') },
      { user_to_perm_id: 3, user_id: 3, permission_id: permission('hg.create.repository') },
    ],
    users_group_to_perm: [{ users_group_to_perm_id: 1, users_group_id: 4, permission_id: permission('hg.usergroup.create.true') }],
    repo_to_perm: [
      { repo_to_perm_id: 1, user_id: 1, repository_id: 1, permission_id: permission('repository.read') },
      { repo_to_perm_id: 2, user_id: 1, repository_id: 2, permission_id: permission('repository.none') },
      { repo_to_perm_id: 3, user_id: 1, repository_id: 3, permission_id: permission('repository.none') },
      { repo_to_perm_id: 4, user_id: 1, repository_id: 4, permission_id: permission('repository.read') },
      { repo_to_perm_id: 5, user_id: 4, repository_id: 3, permission_id: permission('repository.write') },
      { repo_to_perm_id: 6, user_id: 5, repository_id: 1, permission_id: permission('repository.admin') },
    ],
    users_group_repo_to_perm: [{ users_group_to_perm_id: 1, users_group_id: 4, repository_id: 2, permission_id: permission('repository.read') }],
    user_repo_group_to_perm: [{ group_to_perm_id: 1, user_id: 1, group_id: 2, permission_id: permission('group.read') }],
    users_group_repo_group_to_perm: [
      { users_group_repo_group_to_perm_id: 1, users_group_id: 4, group_id: 2, permission_id: permission('group.write') },
    ],
    user_user_group_to_perm: [
      { user_user_group_to_perm_id: 1, user_id: 1, user_group_id: 4, permission_id: permission('usergroup.read') },
      { user_user_group_to_perm_id: 2, user_id: 3, user_group_id: 4, permission_id: permission('usergroup.admin') },
    ],
    user_group_user_group_to_perm: [],
    gists: [
      {
        gist_id: 1,
        gist_access_id: '1',
        gist_description: 'words',
        user_id: 3,
        gist_expires: -1,
        gist_type: 'public',
        created_on: at,
        modified_at: at,
      },
      {
        gist_id: 2,
        gist_access_id: privateGist,
        gist_description: '',
        user_id: 3,
        gist_expires: -1,
        gist_type: 'private',
        created_on: at,
        modified_at: at,
      },
      {
        gist_id: 3,
        gist_access_id: 'expired',
        gist_description: '',
        user_id: 3,
        gist_expires: 1_600_000_000,
        gist_type: 'public',
        created_on: at,
        modified_at: at,
      },
    ],
    pull_requests: [
      {
        ...{ pull_request_id: 7, title: 'Tidy', description: 'No description', status: 'new', created_on: later, updated_on: later, user_id: 3 },
        ...{ revisions: tidy, org_repo_id: 4, org_ref: `branch:tidy:${tidy}`, other_repo_id: 1, other_ref: `branch:master:${first}` },
      },
      {
        ...{ pull_request_id: 8, title: 'Gone', description: '', status: 'closed', created_on: later, updated_on: later, user_id: 3 },
        ...{ revisions: tidy, org_repo_id: 5, org_ref: `branch:tidy:${tidy}`, other_repo_id: 1, other_ref: `branch:master:${first}` },
      },
    ],
    pull_request_reviewers: [{ pull_requests_reviewers_id: 1, pull_request_id: 7, user_id: 4 }],
    changeset_comments: [
      { ...comment, comment_id: 20, user_id: 3, text: '' },
      { ...comment, comment_id: 21, user_id: 4, text: 'fine' },
      { ...comment, comment_id: 22, user_id: 4, text: 'why?', f_path: 'tidy.txt', line_no: 'n1' },
      { ...comment, comment_id: 23, user_id: 3, text: 'on a commit', repo_id: 1, revision: first, pull_request_id: null },
    ],
    changeset_statuses: [
      {
        changeset_status_id: 1,
        repo_id: 4,
        user_id: 3,
        revision: tidy,
        status: 'under_review',
        changeset_comment_id: 20,
        modified_at: later,
        version: 1,
        pull_request_id: 7,
      },
      {
        changeset_status_id: 2,
        repo_id: 4,
        user_id: 4,
        revision: tidy,
        status: 'approved',
        changeset_comment_id: 21,
        modified_at: later,
        version: 0,
        pull_request_id: 7,
      },
    ],
  }
}

function* statements(rows: Rows, mark: (index: number) => string): Generator<{ text: string; values: Value[] }> {
  for (const [table, list] of Object.entries(rows)) {
    for (const row of list) {
      const columns = Object.keys(row)
      yield {
        text: `insert into "${table}" (${columns.join(', ')}) values (${columns.map((_, index) => mark(index + 1)).join(', ')})`,
        values: Object.values(row),
      }
    }
  }
}

function writeSqlite(file: string, rows: Rows): void {
  const database = new DatabaseSync(file)
  for (const [table, columns] of Object.entries(schema)) {
    database.exec(`create table "${table}" (${columns.replace(/\bflag\b/g, 'boolean').replace(/\bat\b/g, 'datetime')})`)
  }
  for (const { text, values } of statements(rows, () => '?'))
    database.prepare(text).run(...values.map((value) => (typeof value === 'boolean' ? Number(value) : value)))
  database.close()
}

async function writePostgres(url: string, rows: Rows): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const [table, columns] of Object.entries(schema)) {
    await client.query(`create table "${table}" (${columns.replace(/\bflag\b/g, 'boolean').replace(/\bat\b/g, 'timestamp')})`)
  }
  for (const { text, values } of statements(rows, (index) => `$${index}`)) await client.query(text, values)
  await client.end()
}

export { makeRepositories, rowsOf, writeSqlite, writePostgres, keys, password, privateGist }
