import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { worldOf } from './contract-world.suite.ts'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import type { World } from './contract-world.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

type Member = { name: string; type: string; permission: string }

/** What the contract says beside its table: who may what, what follows from what, and what is kept. */
export function rulesSuite(title: string, options: { readonly databaseUrl?: string } = {}): void {
  describe(title, () => {
    let lab: KallitheaLab
    let world: World
    beforeAll(async () => {
      lab = await openKallitheaLab(options.databaseUrl ? { config: { databaseUrl: options.databaseUrl } } : {})
      world = await worldOf(lab, 'git')
    })
    afterAll(() => lab?.close())

    const ask = (method: string, args: object = {}) => lab.result(world.root, method, args)
    const members = async (repoid: string): Promise<Record<string, string>> => {
      const list = (await ask('get_repo', { repoid })).members as Member[]
      return Object.fromEntries(list.map(({ name, permission }) => [name, permission]))
    }
    const effective = async (repoid: string) => (await ask('get_user', { userid: world.ann.name })).permissions.repositories[repoid]

    describe('what a user may do on a repository (§11.4)', () => {
      test('begins with what the user `default` is granted, which grants only raise', async () => {
        const { name } = await world.repo()
        expect(await effective(name)).toBe('repository.read')
        await ask('grant_user_permission', { repoid: name, userid: world.ann.name, perm: 'repository.none' })
        expect(await effective(name)).toBe('repository.read')
        await ask('grant_user_permission', { repoid: name, userid: world.ann.name, perm: 'repository.write' })
        expect(await effective(name)).toBe('repository.write')
        await ask('revoke_user_permission', { repoid: name, userid: world.ann.name })
        await ask('grant_user_permission', { repoid: name, userid: 'default', perm: 'repository.none' })
        expect(await effective(name)).toBe('repository.none')
        expect(await lab.error(world.ann, 'get_repo', { repoid: name })).toBe(`repository \`${name}\` does not exist`)
      })

      test('is raised by an active group, and not by an inactive one', async () => {
        const [{ name }, group] = [await world.repo({ private: true }), await world.userGroup()]
        await ask('add_user_to_user_group', { usergroupid: group.id, userid: world.ann.name })
        await ask('grant_user_group_permission', { repoid: name, usergroupid: group.id, perm: 'repository.write' })
        expect(await effective(name)).toBe('repository.write')
        await ask('update_user_group', { usergroupid: group.id, active: false })
        expect(await effective(name)).toBe('repository.none')
      })

      test('is everything for its owner and for administrators, whatever is granted', async () => {
        const { name } = await world.repo({ private: true, owner: world.ann.name })
        await ask('grant_user_permission', { repoid: name, userid: world.ann.name, perm: 'repository.none' })
        expect(await effective(name)).toBe('repository.admin')
        await ask('revoke_user_permission', { repoid: name, userid: 'default' })
        expect((await ask('get_user')).permissions.repositories[name]).toBe('repository.admin')
        expect((await ask('get_user')).permissions.global).toEqual(['hg.admin'])
      })

      test('is nothing through `default` while it is private, whatever that is granted', async () => {
        const { name } = await world.repo({ private: true })
        await ask('grant_user_permission', { repoid: name, userid: 'default', perm: 'repository.write' })
        expect(await effective(name)).toBe('repository.none')
        expect((await members(name)).default).toBe('repository.none')
      })
    })

    describe('a private repository', () => {
      test('begins without a grant for `default`', async () => {
        const { name } = await world.repo({ private: true })
        expect(await members(name)).toEqual({ default: 'repository.none' })
      })

      test('takes the grant of `default` away, and does not give it back', async () => {
        const { name } = await world.repo()
        expect(await members(name)).toEqual({ default: 'repository.read' })
        await ask('update_repo', { repoid: name, private: true })
        expect(await members(name)).toEqual({ default: 'repository.none' })
        await ask('update_repo', { repoid: name, private: false })
        expect(await members(name)).toEqual({ default: 'repository.none' })
        expect(await effective(name)).toBe('repository.none')
      })

      test('is not in the lists of others', async () => {
        const [secret, open] = [await world.repo({ private: true }), await world.repo()]
        const names = ((await lab.result(world.ann, 'get_repos')) as { repo_name: string }[]).map(({ repo_name }) => repo_name)
        expect(names).toContain(open.name)
        expect(names).not.toContain(secret.name)
        const own = (await lab.result(world.ann, 'get_user')).permissions.repositories
        expect(Object.hasOwn(own, secret.name)).toBe(false)
        expect(own[open.name]).toBe('repository.read')
      })
    })

    describe('groups of repositories', () => {
      test('pass their grants on when asked to, at creation', async () => {
        const group = await world.repoGroup()
        await ask('grant_user_permission_to_repo_group', { repogroupid: group.id, userid: world.ann.name, perm: 'group.write' })
        await ask('create_repo', { repo_name: `${group.name}/copied`, repo_type: 'git', copy_permissions: true })
        await ask('create_repo', { repo_name: `${group.name}/fresh`, repo_type: 'git' })
        expect(await members(`${group.name}/copied`)).toEqual({ default: 'repository.read', [world.ann.name]: 'repository.write' })
        expect(await members(`${group.name}/fresh`)).toEqual({ default: 'repository.read' })
      })

      test.each([
        ['none', false, false],
        ['repos', true, false],
        ['groups', false, true],
        ['all', true, true],
        ['everything', false, false],
        [null, false, false],
      ])('apply a grant below as %j says', async (apply_to_children, repos, groups) => {
        const group = await world.repoGroup()
        await ask('create_repo', { repo_name: `${group.name}/repo`, repo_type: 'git' })
        await ask('create_repo_group', { group_name: 'inner', parent: group.id })
        const args = { repogroupid: group.id, userid: world.ann.name, apply_to_children }
        const { msg } = await ask('grant_user_permission_to_repo_group', { ...args, perm: 'group.admin' })
        const shown = apply_to_children === null ? 'None' : apply_to_children
        expect(msg).toBe(`Granted perm: \`group.admin\` (recursive:${shown}) for user: \`${world.ann.name}\` in repo group: \`${group.name}\``)
        const { permissions } = await ask('get_user', { userid: world.ann.name })
        expect(permissions.repositories_groups[group.name]).toBe('group.admin')
        expect(permissions.repositories[`${group.name}/repo`]).toBe(repos ? 'repository.admin' : 'repository.read')
        expect(permissions.repositories_groups[`${group.name}/inner`]).toBe(groups ? 'group.admin' : 'group.read')
        await ask('revoke_user_permission_from_repo_group', args)
        const after = (await ask('get_user', { userid: world.ann.name })).permissions
        expect(after.repositories[`${group.name}/repo`]).toBe('repository.read')
      })

      test('are renamed with everything below, and moved', async () => {
        const [group, other] = [await world.repoGroup(), await world.repoGroup()]
        await ask('create_repo', { repo_name: `${group.name}/repo`, repo_type: 'git' })
        const { msg, repo_group } = await ask('update_repo_group', { repogroupid: group.id, group_name: 'moved', parent: other.id })
        expect(msg).toBe(`updated repository group ID:${group.id} ${other.name}/moved`)
        expect(repo_group).toMatchObject({ parent_group: other.name, repositories: [`${other.name}/moved/repo`] })
        expect(await lab.error(world.root, 'update_repo_group', { repogroupid: other.id, parent: group.id })).toBe(
          `failed to update repository group \`${other.id}\``,
        )
        const grants = await ask('grant_user_permission_to_repo_group', { repogroupid: group.id, userid: world.ann.name, perm: 'group.read' })
        expect(grants.msg).toContain('in repo group: `moved`')
      })

      test('with something in them are not deleted', async () => {
        const group = await world.repoGroup()
        await ask('create_repo', { repo_name: `${group.name}/repo`, repo_type: 'git' })
        expect(await lab.error(world.root, 'delete_repo_group', { repogroupid: group.id })).toBe(
          `failed to delete repo group ID:${group.id} ${group.name}`,
        )
        expect((await ask('get_repo_group', { repogroupid: group.id })).repositories).toEqual([`${group.name}/repo`])
      })
    })

    describe('identifiers', () => {
      test('numbers, digits and names lead to the same thing', async () => {
        const { id, name } = await world.repo()
        for (const repoid of [id, String(id), name]) expect((await ask('get_repo', { repoid })).repo_name).toBe(name)
        const group = await world.repoGroup()
        for (const repogroupid of [group.id, String(group.id), group.name, `${group.name}/`]) {
          expect((await ask('get_repo_group', { repogroupid })).group_id).toBe(group.id)
        }
      })

      test('nothing else leads anywhere: addresses, references of ours, and values that are neither text nor number', async () => {
        const { name } = await world.repo()
        for (const userid of [`${world.ann.name}@lab.test`, `user:${world.ann.name}`, world.ann.id, true, 1.5, -1, [1], { a: 1 }, '', 0]) {
          expect(await lab.error(world.root, 'get_ip', { userid })).toMatch(/^user `.*` does not exist$/)
        }
        for (const repoid of [`repository:${name}`, true, 2.5, [name], { name }, '', '0']) {
          expect(await lab.error(world.root, 'get_repo', { repoid })).toMatch(/^repository `.*` does not exist$/)
        }
        expect(await lab.error(world.root, 'get_repo', { repoid: true })).toBe('repository `True` does not exist')
        expect(await lab.error(world.root, 'get_repo', { repoid: [1, 'a'] })).toBe("repository `[1, 'a']` does not exist")
      })

      test('a name that is taken is not taken twice at once, and nothing is left of the loser', async () => {
        const repo_name = world.name('race')
        const answers = await Promise.all(Array.from({ length: 6 }, () => lab.call(world.root, 'create_repo', { repo_name, repo_type: 'git' })))
        expect(answers.filter(({ error }) => error === null)).toHaveLength(1)
        expect(answers.filter(({ error }) => error === `repo \`${repo_name}\` already exist`)).toHaveLength(5)
      })
    })

    describe('users', () => {
      test('ask for themselves, as a number of their own and not by name', async () => {
        const { user_id } = await lab.result(world.ann, 'get_user')
        expect((await lab.result(world.ann, 'get_user', { userid: user_id })).username).toBe(world.ann.name)
        for (const userid of [String(user_id), world.ann.name, 1]) {
          expect(await lab.error(world.ann, 'get_user', { userid })).toBe('userid is not the same as your user')
        }
      })

      test('are told what everybody begins with', async () => {
        expect((await lab.result(world.ann, 'get_user')).permissions.global.sort()).toEqual(
          [
            'hg.create.repository',
            'repository.read',
            'group.read',
            'usergroup.read',
            'hg.fork.repository',
            'hg.register.manual_activate',
            'hg.extern_activate.auto',
          ].sort(),
        )
      })

      test('that are made inactive are not let in, and their name and address are changed only as said', async () => {
        const who = await lab.member(world.name('off'))
        const { user } = await ask('update_user', { userid: who.name, active: false, firstname: 'Off' })
        expect(user).toMatchObject({ active: false, firstname: 'Off', email: `${who.name}@lab.test`, emails: [`${who.name}@lab.test`] })
        expect(await lab.error(who, 'get_repos')).toBe('Invalid API key')
        await ask('update_user', { userid: who.name, active: true })
        expect(await lab.error(who, 'get_repos')).toBeNull()
      })

      test('who own something are not deleted', async () => {
        const user = await world.user()
        await world.repo({ owner: user.id })
        expect(await lab.error(world.root, 'delete_user', { userid: user.id })).toBe(`failed to delete user ID:${user.id} ${user.name}`)
      })
    })

    describe('user groups', () => {
      test('keep a null for their description, and are administered by their owner', async () => {
        const group_name = world.name('team')
        const { user_group } = await ask('create_user_group', { group_name, description: null, owner: world.ann.name, active: null })
        expect(user_group).toMatchObject({ group_description: null, active: true, owner: world.ann.name, members: [] })
        const { msg } = await lab.result(world.ann, 'update_user_group', { usergroupid: group_name, description: 'ours' })
        expect(msg).toBe(`updated user group ID:${user_group.users_group_id} ${group_name}`)
      })

      test('say that a user is in them already, or was not, without an error', async () => {
        const { id } = await world.userGroup()
        const args = { usergroupid: id, userid: world.ann.name }
        expect(await ask('remove_user_from_user_group', args)).toEqual({ success: false, msg: "User wasn't in group" })
        await ask('add_user_to_user_group', args)
        expect(await ask('add_user_to_user_group', args)).toEqual({ success: false, msg: 'User is already in that group' })
        expect((await ask('get_user_group', { usergroupid: id })).members).toMatchObject([{ username: world.ann.name }])
      })

      test('that hold something else than a repository are deleted with it', async () => {
        const [team, group] = [await world.userGroup(), await world.repoGroup()]
        await ask('grant_user_group_permission_to_repo_group', { repogroupid: group.id, usergroupid: team.id, perm: 'group.read' })
        expect((await ask('delete_user_group', { usergroupid: team.id })).user_group).toBeNull()
      })
    })

    test('whoever makes a repository follows it, and so does its owner', async () => {
      const { name } = await world.repo({ owner: world.ann.name })
      expect((await ask('get_repo', { repoid: name })).followers).toMatchObject([{ username: world.ann.name }])
    })

    test('forks are told from others, counted, and lose their parent', async () => {
      const { name } = await world.filled()
      const fork = await world.fork(name)
      expect(await ask('get_repo', { repoid: fork })).toMatchObject({ fork_of: name, enable_downloads: false, description: fork })
      expect((await ask('delete_repo', { repoid: name, forks: 'detach' })).msg).toBe(`Deleted repository \`${name}\` Detached 1 forks`)
      expect((await ask('get_repo', { repoid: fork })).fork_of).toBeNull()
      expect((await ask('delete_repo', { repoid: fork, forks: 'delete' })).msg).toBe(`Deleted repository \`${fork}\` Deleted 0 forks`)
    })

    test('a change leaves one event of the product under its own name', async () => {
      const count = async () => (await lab.app.system('audit.list', { limit: 1000 })).items as { operation: string; via: string }[]
      const [group, team, repo] = [await world.repoGroup(), await world.userGroup(), await world.filled()]
      await ask('create_repo', { repo_name: `${group.name}/r`, repo_type: 'git' })
      const changes: [string, object, string][] = [
        ['grant_user_permission_to_repo_group', { repogroupid: group.id, userid: 1, perm: 'group.read', apply_to_children: 'all' }, 'grant.set'],
        ['revoke_user_permission_from_repo_group', { repogroupid: group.id, userid: 1, apply_to_children: 'all' }, 'grant.delete'],
        ['update_repo', { repoid: repo.id, private: true, description: 'x' }, 'repository.update'],
        ['fork_repo', { repoid: repo.id, fork_name: world.name('fork') }, 'repository.fork'],
        ['create_user', { username: world.name('u'), email: '' }, 'user.create'],
        ['update_user_group', { usergroupid: team.id, description: 'x' }, 'group.update'],
        ['invalidate_cache', { repoid: repo.id }, 'repository.refresh'],
        ['delete_user_group', { usergroupid: team.id }, 'group.delete'],
      ]
      for (const [method, args, operation] of changes) {
        const before = (await count()).length
        await ask(method, args)
        const after = await count()
        expect(after.length - before, method).toBe(1)
        expect(
          after.some((event) => event.operation === operation && event.via === 'kallithea'),
          method,
        ).toBe(true)
      }
    })

    test('names of the directory, of control and of direction are refused', async () => {
      for (const repo_name of ['../up', 'a/../b', '.git', '_31', 'rm__x', '_admin', 'a\u0000b', 'a\u202eb', 'a b', 'x'.repeat(256), 'a--b', '-a']) {
        expect(await lab.error(world.root, 'create_repo', { repo_name, repo_type: 'git' }), repo_name).not.toBeNull()
      }
    })
  })
}
