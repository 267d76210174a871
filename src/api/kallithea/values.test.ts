import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import table from './contract-methods.json' with { type: 'json' }
import { worldOf } from './contract-world.suite.ts'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import type { World } from './contract-world.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

let lab: KallitheaLab
let world: World
beforeAll(async () => {
  lab = await openKallitheaLab()
  world = await worldOf(lab, 'git')
})
afterAll(() => lab?.close())

const ask = (method: string, args: object = {}) => lab.result(world.root, method, args)
const error = (method: string, args: object) => lab.error(world.root, method, args)

describe('an identifier that names nothing is said to be of nothing that exists, in every method that wants one', () => {
  const things: Readonly<Record<string, string>> = {
    repoid: 'repository',
    userid: 'user',
    usergroupid: 'user group',
    repogroupid: 'repository group',
    gistid: 'gist',
    pullrequest_id: 'pull request',
    pull_request_id: 'pull request',
  }
  const wanting = table.flatMap(({ method, args }) =>
    args.flatMap(({ name, optional }) => (!optional && things[name] !== undefined ? { method, member: name } : [])),
  )

  test.each(wanting)('$method $member', async ({ method, member }) => {
    const [user, group, folder, repo] = [await world.user(), await world.userGroup(), await world.repoGroup(), await world.repo()]
    const { gist } = await ask('create_gist', { files: {} })
    const perm = method.endsWith('_repo_group') ? 'group.read' : 'repository.read'
    const all: Record<string, unknown> = {
      repoid: repo.id,
      userid: user.id,
      usergroupid: group.id,
      repogroupid: folder.id,
      gistid: gist.gist_id,
      perm,
    }
    const wanted = table.find((one) => one.method === method)?.args.filter(({ optional }) => !optional) ?? []
    const args = Object.fromEntries(wanted.map(({ name }) => [name, all[name] ?? 'tip']))
    const more = method === 'edit_reviewers' ? { add: user.name } : {}
    for (const [value, shown] of [
      [null, 'None'],
      ['', ''],
      [99_999, '99999'],
      ['99999', '99999'],
      [true, 'True'],
    ]) {
      expect(await error(method, { ...args, ...more, [member]: value })).toBe(`${things[member]} \`${shown}\` does not exist`)
    }
  })
})

describe('create_repo', () => {
  const bad = [{ repo_type: 'svn' }, { landing_rev: 'tip' }, { private: 'maybe' }, { enable_downloads: 'maybe' }, { repo_type: 5 }, { clone_uri: 5 }]

  test.each(bad)('says what there is to say about the place, the owner and the name before it refuses %o', async (value) => {
    const { name } = await world.repo()
    const at = (args: object) => error('create_repo', { ...value, ...args })
    expect(await at({ repo_name: name })).toBe(`repo \`${name}\` already exist`)
    expect(await at({ repo_name: 'nowhere/at-all' })).toBe('repo group `nowhere` not found')
    expect(await at({ repo_name: 'new-one', owner: 'nobody' })).toBe('user `nobody` does not exist')
    const folder = await world.repoGroup()
    const path = `${folder.name}/new-one`
    expect(await lab.error(world.ann, 'create_repo', { ...value, repo_name: path })).toBe(`no permission to create repo in ${folder.name}`)
    expect(await at({ repo_name: path })).toBe(`failed to create repository \`${path}\``)
    expect(await error('get_repo', { repoid: path })).toBe(`repository \`${path}\` does not exist`)
  })

  test('fork_repo does the same', async () => {
    const { name } = await world.filled()
    const fork = (args: object) => error('fork_repo', { repoid: name, landing_rev: 'tip', ...args })
    expect(await fork({ fork_name: name })).toBe(`repo \`${name}\` already exist`)
    expect(await fork({ fork_name: 'new-fork', owner: 'nobody' })).toBe('user `nobody` does not exist')
    expect(await fork({ fork_name: 'new-fork' })).toBe(`failed to fork repository \`${name}\` as \`new-fork\``)
  })
})

describe('what is taken, missing or forbidden is said before a value that is no good', () => {
  test('and a name that is a number of ours is not taken by the thing of that number', async () => {
    const [folder, group, repo] = [await world.repoGroup(), await world.userGroup(), await world.repo()]
    expect(await error('create_repo_group', { group_name: `_${folder.id}` })).toBe(`failed to create repo group \`_${folder.id}\``)
    expect(await error('create_user_group', { group_name: `_${group.id}`, active: 'maybe' })).toBe(`failed to create group \`_${group.id}\``)
    const forked = await error('fork_repo', { repoid: repo.id, fork_name: `_${repo.id}` })
    expect(forked).toBe(`failed to fork repository \`${repo.name}\` as \`_${repo.id}\``)
  })

  test('of users', async () => {
    const { name } = await world.user()
    for (const bad of [{ active: 'maybe' }, { password: 'x' }, { firstname: 5 }, { extern_type: 5 }]) {
      const made = (args: object) => error('create_user', { username: 'new-one', email: 'new@lab.test', ...bad, ...args })
      expect(await made({ username: name })).toBe(`user \`${name}\` already exist`)
      expect(await made({ username: name, email: 'no address' })).toBe(`user \`${name}\` already exist`)
      expect(await made({ email: `${name}@lab.test` })).toBe(`email \`${name}@lab.test\` already exist`)
      expect(await made({})).toBe('failed to create user `new-one`')
    }
    expect((await ask('create_user', { username: world.name('plain'), email: null })).user.email).toBeNull()
  })

  test('of user groups', async () => {
    const { name } = await world.userGroup()
    for (const bad of [{ active: 'maybe' }, { description: 5 }]) {
      expect(await error('create_user_group', { group_name: name, owner: 'nobody', ...bad })).toBe(`user group \`${name}\` already exist`)
      expect(await error('create_user_group', { group_name: 'new-one', owner: 'nobody', ...bad })).toBe('user `nobody` does not exist')
      expect(await error('update_user_group', { usergroupid: 'nothing', ...bad })).toBe('user group `nothing` does not exist')
      expect(await lab.error(world.ann, 'update_user_group', { usergroupid: name, ...bad })).toBe(`user group \`${name}\` does not exist`)
    }
    expect(await lab.error(world.ann, 'update_user_group', { usergroupid: name, owner: 'nobody' })).toBe(`user group \`${name}\` does not exist`)
    expect(await lab.error(world.ann, 'create_user_group', { group_name: name, owner: 'nobody' })).toBe('Internal server error')
  })

  test('of groups of repositories', async () => {
    const { name } = await world.repoGroup()
    for (const bad of [{ copy_permissions: 'maybe' }, { description: 5 }, { owner: 'nobody' }]) {
      expect(await error('create_repo_group', { group_name: name, ...bad })).toBe(`repo group \`${name}\` already exist`)
    }
    const moved = await error('update_repo_group', { repogroupid: name, parent: 'nowhere', description: 5 })
    expect(moved).toBe('repository group `nowhere` does not exist')
  })

  test('of moving a repository, pulling into one and commenting on a pull request', async () => {
    const [folder, repo_name] = [await world.repoGroup(), world.name('own')]
    await lab.result(world.ann, 'create_repo', { repo_name, repo_type: 'git' })
    for (const bad of [{}, { private: 'maybe' }, { landing_rev: 'tip' }, { description: 5 }, { name: 'a/b' }]) {
      const moved = await lab.error(world.ann, 'update_repo', { repoid: repo_name, group: folder.name, ...bad })
      expect(moved).toBe(`no permission to create (or move) repo in ${folder.name}`)
    }
    expect(await error('pull', { repoid: 'nothing', clone_uri: 5 })).toBe('repository `nothing` does not exist')
    expect(await error('pull', { repoid: repo_name, clone_uri: 5 })).toBe(`Unable to pull changes from \`${repo_name}\``)
    expect(await error('comment_pullrequest', { pull_request_id: 99_999, close_pr: 'maybe' })).toBe('pull request `99999` does not exist')
  })
})

describe.each(['git', 'hg'] as const)('of a %s repository', (kind) => {
  const branches = { git: ['main', 'side'], hg: ['default', 'side'] } as const

  test('get_repo_nodes takes the number of a commit, and `tip` for the newest of all branches', async ({ skip }) => {
    const { items } = (await lab.app.system('repository.list-kinds', {})) as { items: string[] }
    if (!items.includes(kind)) skip('Mercurial is not installed here')
    const repo_name = world.name('numbered')
    await ask('create_repo', { repo_name, repo_type: kind })
    const [main, side] = branches[kind]
    const held: Record<string, readonly string[]> = { one: ['one'], two: ['one', 'two'], other: ['other'] }
    for (const [branch, message] of [
      [main, 'one'],
      [main, 'two'],
      [side, 'other'],
    ]) {
      const files = [{ path: message, text: message }]
      await lab.app.system('repository.commit-files', { repository: repo_name, branch, message, files })
    }
    const names = async (revision: unknown) =>
      ((await ask('get_repo_nodes', { repoid: repo_name, revision, root_path: '/' })) as { name: string }[]).map(({ name }) => name)
    const all = (await ask('get_changesets', { repoid: repo_name })) as { revision: number; message: string }[]
    for (const { revision, message } of all) {
      for (const asked of [revision, String(revision)]) expect(await names(asked)).toEqual(held[message.trim()])
    }
    for (const last of ['tip', -1]) expect(await names(last)).toEqual(held[all.at(-1)?.message.trim() ?? ''])
    expect([await names(main), await names(side)]).toEqual([held.two, held.other])
    // Digits that an id begins with are no name of it.
    for (let more = 0; more < 4; more++) {
      const files = [{ path: `more${more}`, text: 'more' }]
      await lab.app.system('repository.commit-files', { repository: repo_name, branch: main, message: 'more', files })
    }
    const ids = ((await ask('get_changesets', { repoid: repo_name })) as { raw_id: string }[]).map(({ raw_id }) => /^\d*/.exec(raw_id)?.[0] ?? '')
    for (const revision of [7, ...ids.flatMap((id) => [...id].map((_, at) => Number(id.slice(0, at + 1)))).filter((id) => id > 6 && id < 1e11)]) {
      expect(await error('get_repo_nodes', { repoid: repo_name, revision, root_path: '/' })).toBe(`failed to get repo: \`${repo_name}\` nodes`)
      expect(await error('get_changeset', { repoid: repo_name, raw_id: revision })).toBe(`Changeset ${revision} does not exist`)
    }
  })
})

test('a day that a month does not have is no date', async () => {
  const { name } = await world.filled()
  for (const start_date of ['2026-02-30T00:00:00', '2026-04-31T10:00:00', '2026-01-01T24:00:00']) {
    expect(await error('get_changesets', { repoid: name, start_date })).toBe('Internal server error')
  }
  expect(await ask('get_changesets', { repoid: name, end_date: '2024-02-29T23:59:59' })).toEqual([])
})

test('the remote of a repository is null until there was one, and empty once it is taken away', async () => {
  const { name } = await world.repo()
  expect((await ask('get_repo', { repoid: name })).clone_uri).toBeNull()
  expect((await ask('update_repo', { repoid: name, clone_uri: '' })).repository.clone_uri).toBe('')
  expect((await ask('get_repo', { repoid: name })).clone_uri).toBe('')
  expect(await error('pull', { repoid: name })).toBe(`Unable to pull changes from \`${name}\``)
})

test('a gist may be as large as gists may be here, whatever its text looks like in the body', async () => {
  const files = { plain: { content: 'x'.repeat(1_000_000) }, lines: { content: '\n'.repeat(1_000_000) } }
  const { gist } = await ask('create_gist', { files })
  const { text } = await lab.raw({ method: 'GET', path: `/_admin/gists/${gist.access_id}/tip/raw/lines` })
  expect(text.length).toBe(1_000_000)
})
