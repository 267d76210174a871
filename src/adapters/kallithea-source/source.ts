import { createHash } from 'node:crypto'
import { SourceRefused } from '../../ports/import-source.ts'
import type { ImportSource } from '../../ports/import-source.ts'
import { readComments, readGists, readPullRequests, readRepositories, readRepositoryGroups } from './code.ts'
import { openFolders } from './folders.ts'
import { readEveryone, readGroups, readUsers } from './people.ts'
import { openReader } from './reader.ts'
import { openTables } from './tables.ts'
import type { Names } from './grants.ts'

type KallitheaOptions = {
  /** The file of an SQLite database, or the address of one in PostgreSQL. */
  readonly database: string
  /** The folder of its repositories. */
  readonly repositories: string
  readonly names: Names
}

const keys = {
  user: ['users', 'user_id'],
  group: ['users_groups', 'users_group_id'],
  'repository-group': ['groups', 'group_id'],
  repository: ['repositories', 'repo_id'],
  gist: ['gists', 'gist_id'],
  'pull-request': ['pull_requests', 'pull_request_id'],
} as const

/** What an installation of Kallithea 0.7 holds (Kallithea contract §11.1). `SourceRefused` when it cannot be read, or is something else. */
async function openKallithea({ database, repositories, names }: KallitheaOptions): Promise<ImportSource> {
  const folders = await openFolders(repositories)
  const reader = await openReader(database)
  try {
    const tables = await openTables(reader)
    const { mark, ...everyone } = await readEveryone(tables, names)
    if (mark === '') throw new SourceRefused('The database has no user "default", which every Kallithea has.')
    return {
      product: 'kallithea',
      mark: createHash('sha256').update(mark).digest('hex').slice(0, 16),
      highest: (kind) => {
        const [table, key] = keys[kind]
        return tables.highest(table, key)
      },
      everyone: async () => everyone,
      users: () => readUsers(tables, names),
      groups: () => readGroups(tables, names),
      repositoryGroups: () => readRepositoryGroups(tables, names),
      repositories: () => readRepositories(tables, names),
      gists: () => readGists(tables),
      pullRequests: () => readPullRequests(tables),
      pullRequestComments: (pullRequest, after) => readComments(tables, { pullRequest }, after),
      commitComments: (repository, after) => readComments(tables, { repository }, after),
      async left() {
        const optional = async (table: string) => (tables.names.has(table) ? tables.count(table) : 0)
        const left = [
          { what: 'further e-mail addresses of users: a user has one here', count: await tables.count('user_email_map') },
          { what: 'SSH keys: repositories are reached over HTTP only', count: await optional('user_ssh_keys') },
          { what: 'extra fields of repositories', count: await optional('repositories_fields') },
          { what: 'users who follow users', count: await tables.count('user_followings', 'follows_user_id is not null') },
          { what: 'lines of the journal: the audit trail begins with the import', count: await optional('user_logs') },
        ]
        return left.filter(({ count }) => count > 0)
      },
      storage: ({ path, kind }) => folders.repository(path, kind),
      gistStorage: ({ access_id }) => folders.repository(`.rc_gist_store/${access_id}`, 'hg'),
      close: () => reader.close(),
    }
  } catch (error) {
    await reader.close()
    throw error
  }
}

export type { KallitheaOptions }
export { openKallithea }
