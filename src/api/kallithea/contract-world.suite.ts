import type { Person } from '../../../test/support/app.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

export type Who = Person & { readonly key: string }

export type World = Awaited<ReturnType<typeof worldOf>>

let count = 0

/** Things to call methods about, made new for each call, and the people who call. Repositories are of one kind. */
export async function worldOf(lab: KallitheaLab, kind: 'git' | 'hg') {
  const name = (prefix: string) => `${prefix}${kind}${++count}`
  const ann: Who = await lab.member(name('ann'))
  const world = {
    lab,
    kind,
    root: lab.root as Who,
    /** An ordinary user. */
    ann,
    name,
    /** A new user. */
    user: async (): Promise<{ name: string; id: number }> => {
      const username = name('user')
      const { user } = await lab.result(lab.root, 'create_user', { username, email: `${username}@lab.test` })
      return { name: username, id: user.user_id }
    },
    /** A new user group of the administrator's. */
    userGroup: async (): Promise<{ name: string; id: number }> => {
      const group = name('team')
      const { user_group } = await lab.result(lab.root, 'create_user_group', { group_name: group })
      return { name: group, id: user_group.users_group_id }
    },
    /** A new group of repositories at the top level. */
    repoGroup: async (): Promise<{ name: string; id: number }> => {
      const group = name('lab')
      const { repo_group } = await lab.result(lab.root, 'create_repo_group', { group_name: group })
      return { name: group, id: repo_group.group_id }
    },
    /** A new, empty repository of the administrator's. */
    repo: async (more: object = {}): Promise<{ name: string; id: number }> => {
      const repo = name('repo')
      await lab.result(lab.root, 'create_repo', { repo_name: repo, repo_type: kind, ...more })
      return { name: repo, id: (await lab.result(lab.root, 'get_repo', { repoid: repo })).repo_id }
    },
    /** A new repository with a commit. */
    filled: async (more: object = {}): Promise<{ name: string; id: number }> => {
      const repo = await world.repo(more)
      const files = [
        { path: 'README.md', text: 'read me' },
        { path: 'src/main.ts', text: 'export {}' },
      ]
      const branch = kind === 'git' ? 'master' : 'default'
      await lab.app.system('repository.commit-files', { repository: repo.name, branch, message: 'first', files })
      return repo
    },
    fork: async (of: string): Promise<string> => {
      const fork = name('fork')
      await lab.result(lab.root, 'fork_repo', { repoid: of, fork_name: fork })
      return fork
    },
    /** Gives or takes what everyone may do on something of ours. */
    everyone: (on: string, level: string) => lab.app.system('grant.set', { to: 'everyone', on, level }),
    grant: (to: Who, on: string, level: string) => lab.app.system('grant.set', { to: `user:${to.name}`, on, level }),
    /** A user who holds none of the rights that everyone begins with. */
    async without(right: string, work: (who: Who) => Promise<void>): Promise<void> {
      const set = (extras: readonly string[]) => lab.app.system('grant.set', { to: 'everyone', on: 'system:system', level: 'none', extras })
      const all = ['repository.create', 'repository.fork']
      await set(all.filter((one) => one !== right))
      try {
        await work(ann)
      } finally {
        await set(all)
      }
    },
  }
  return world
}
