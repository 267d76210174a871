import type { SourceEveryone, SourceGroup, SourceKey, SourceUser } from '../../ports/import-source.ts'
import { flagOf, idOf, momentOf, textOf, textOrNull, timeOf } from './fields.ts'
import { grantsOf, namesOf } from './grants.ts'
import { part, time } from './tables.ts'
import type { Names } from './grants.ts'
import type { Raw } from './reader.ts'
import type { SourceTables } from './tables.ts'

/** The user that stands for everybody there. */
const everyoneName = 'default'

const columns = [
  'user_id',
  'active',
  'admin',
  ...[part('username', 300), part('password', 200), part('firstname', 255), part('lastname', 255), part('email', 300), part('api_key', 100)],
  part('extern_type', 100),
  time('created_on'),
  time('last_login'),
]

const bcrypt = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/

async function readEveryone(tables: SourceTables, names: Names): Promise<SourceEveryone & { readonly mark: string }> {
  const [raw] = await tables.all(`select ${columns.join(', ')} from users where username = ?`, [everyoneName])
  if (!raw) return { active: false, networks: [], rights: [], mark: '' }
  const { networks, rights } = await besides(tables, names, [idOf(raw, 'user_id')])
  return {
    active: flagOf(raw, 'active'),
    networks: networks(idOf(raw, 'user_id')),
    rights: rights(idOf(raw, 'user_id')),
    // Made at random when it was set up, and used for nothing.
    mark: `${textOf(raw, 'api_key')}\n${textOf(raw, 'created_on')}`,
  }
}

async function* readUsers(tables: SourceTables, names: Names): AsyncGenerator<SourceUser> {
  for await (const page of tables.pages({ table: 'users', key: 'user_id', columns, where: `username <> '${everyoneName}'` })) {
    const ids = page.map((raw) => idOf(raw, 'user_id'))
    const { networks, rights } = await besides(tables, names, ids)
    const keys = await tables.related(
      `select user_id as of, ${part('api_key', 100)}, ${part('description', 200)}, expires, ${time('created_on')} from user_api_keys`,
      'user_id',
      ids,
      'user_api_key_id',
    )
    for (const raw of page) {
      const id = idOf(raw, 'user_id')
      const signsIn = textOf(raw, 'extern_type') || 'internal'
      const password = textOf(raw, 'password')
      const fits = signsIn === 'internal' && bcrypt.test(password)
      yield {
        id,
        name: textOf(raw, 'username'),
        email: textOf(raw, 'email') || null,
        first_name: textOf(raw, 'firstname'),
        last_name: textOf(raw, 'lastname'),
        administrator: flagOf(raw, 'admin'),
        active: flagOf(raw, 'active'),
        password_hash: fits ? password : null,
        password_note: fits || (signsIn === 'internal' && password === '') ? null : noteOf(signsIn),
        keys: [builtIn(raw), ...(keys.get(id) ?? []).map(keyOf)].filter(({ secret }) => secret !== ''),
        networks: networks(id),
        rights: rights(id),
        created_at: timeOf(raw, 'created_on'),
        last_sign_in_at: timeOf(raw, 'last_login') || null,
      }
    }
  }
}

function noteOf(signsIn: string): string {
  return signsIn === 'internal'
    ? 'its password was kept in a form that cannot be verified here; set a new one'
    : `it signed in through ${signsIn.slice(0, 20)}; set a password for it`
}

function builtIn(raw: Raw): SourceKey {
  return { secret: textOf(raw, 'api_key'), label: 'built-in key', expires_at: null, created_at: timeOf(raw, 'created_on') }
}

function keyOf(raw: Raw): SourceKey {
  return {
    secret: textOf(raw, 'api_key'),
    label: textOf(raw, 'description'),
    expires_at: momentOf(raw, 'expires'),
    created_at: timeOf(raw, 'created_on'),
  }
}

async function besides(tables: SourceTables, names: Names, ids: readonly number[]) {
  const networks = await tables.related(`select user_id as of, ${part('ip_addr', 100)} from user_ip_map`, 'user_id', ids, 'ip_id')
  const rights = await tables.related(
    'select t.user_id as of, p.permission_name as name from user_to_perm t join permissions p on p.permission_id = t.permission_id',
    't.user_id',
    ids,
    't.user_to_perm_id',
  )
  return {
    networks: (id: number) => (networks.get(id) ?? []).map((raw) => textOf(raw, 'ip_addr')),
    rights: (id: number) => namesOf(names, rights.get(id) ?? []),
  }
}

async function* readGroups(tables: SourceTables, names: Names): AsyncGenerator<SourceGroup> {
  const wanted = [
    'users_group_id',
    'users_group_active',
    'user_id',
    part('users_group_name', 300),
    part('user_group_description', 1000),
    time('created_on'),
  ]
  for await (const page of tables.pages({ table: 'users_groups', key: 'users_group_id', columns: wanted })) {
    const ids = page.map((raw) => idOf(raw, 'users_group_id'))
    const members = await tables.related(
      'select users_group_id as of, user_id from users_groups_members',
      'users_group_id',
      ids,
      'users_group_member_id',
    )
    const rights = await tables.related(
      'select t.users_group_id as of, p.permission_name as name from users_group_to_perm t join permissions p on p.permission_id = t.permission_id',
      't.users_group_id',
      ids,
      't.users_group_to_perm_id',
    )
    const grants = await grantsOf(tables, names, 'usergroup', ids)
    for (const raw of page) {
      const id = idOf(raw, 'users_group_id')
      yield {
        id,
        name: textOf(raw, 'users_group_name'),
        description: textOrNull(raw, 'user_group_description'),
        active: flagOf(raw, 'users_group_active'),
        owner: idOf(raw, 'user_id'),
        members: (members.get(id) ?? []).map((member) => idOf(member, 'user_id')),
        grants: grants(id),
        rights: namesOf(names, rights.get(id) ?? []),
        created_at: timeOf(raw, 'created_on'),
      }
    }
  }
}

export { readEveryone, readUsers, readGroups }
