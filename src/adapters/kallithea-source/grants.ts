import type { Level } from '../../core/kernel/level.ts'
import type { SourceGrant } from '../../ports/import-source.ts'
import { idOf, textOf } from './fields.ts'
import type { Raw } from './reader.ts'
import type { SourceTables } from './tables.ts'

type Prefix = 'repository' | 'group' | 'usergroup'

/** What Kallithea's names of permissions mean here. */
type Names = {
  /** The level of `repository.write` and the like; null for any other text. */
  level(prefix: Prefix, name: string): Level | null
  /** The system permission of `hg.create.repository` and the like; null for one that is no right. */
  right(name: string): string | null
}

/** Where the grants of users and of groups on things of a kind are. */
const tablesOf = {
  repository: {
    users: { table: 'repo_to_perm', on: 'repository_id', to: 'user_id', key: 'repo_to_perm_id' },
    groups: { table: 'users_group_repo_to_perm', on: 'repository_id', to: 'users_group_id', key: 'users_group_to_perm_id' },
  },
  group: {
    users: { table: 'user_repo_group_to_perm', on: 'group_id', to: 'user_id', key: 'group_to_perm_id' },
    groups: { table: 'users_group_repo_group_to_perm', on: 'group_id', to: 'users_group_id', key: 'users_group_repo_group_to_perm_id' },
  },
  usergroup: {
    users: { table: 'user_user_group_to_perm', on: 'user_group_id', to: 'user_id', key: 'user_user_group_to_perm_id' },
    groups: {
      table: 'user_group_user_group_to_perm',
      on: 'target_user_group_id',
      to: 'user_group_id',
      key: 'user_group_user_group_to_perm_id',
    },
  },
} as const

/** The grants on each of these things. */
async function grantsOf(tables: SourceTables, names: Names, prefix: Prefix, ids: readonly number[]): Promise<(id: number) => SourceGrant[]> {
  const { users, groups } = tablesOf[prefix]
  const ofUsers = await tables.related(
    `select t.${users.on} as of, t.${users.to} as id, p.permission_name as name, u.username as username
      from ${users.table} t join permissions p on p.permission_id = t.permission_id join users u on u.user_id = t.${users.to}`,
    `t.${users.on}`,
    ids,
    `t.${users.key}`,
  )
  const ofGroups = await tables.related(
    `select t.${groups.on} as of, t.${groups.to} as id, p.permission_name as name
      from ${groups.table} t join permissions p on p.permission_id = t.permission_id`,
    `t.${groups.on}`,
    ids,
    `t.${groups.key}`,
  )
  const grant = (to: SourceGrant['to'], raw: Raw): SourceGrant[] => {
    const level = names.level(prefix, textOf(raw, 'name'))
    return level === null ? [] : [{ to, id: idOf(raw, 'id'), level }]
  }
  return (id) => [
    ...(ofUsers.get(id) ?? []).flatMap((raw) => grant(textOf(raw, 'username') === 'default' ? 'everyone' : 'user', raw)),
    ...(ofGroups.get(id) ?? []).flatMap((raw) => grant('group', raw)),
  ]
}

/** The system permissions among rows of names. */
function namesOf(names: Names, rows: readonly Raw[]): string[] {
  return rows.flatMap((raw) => names.right(textOf(raw, 'name')) ?? [])
}

export type { Names }
export { grantsOf, namesOf }
