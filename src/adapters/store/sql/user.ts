import { DuplicateKey } from '../../../ports/store/store.ts'
import type { UserRow } from '../../../ports/store/rows.ts'
import type { UserTable } from '../../../ports/store/tables.ts'
import { codec, fold } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { serialOf } from './serial.ts'
import { among, equal, textList } from './sql.ts'
import type { Sql } from './sql.ts'

export const users = codec<UserRow>('user_account', {
  id: 'text',
  serial: 'int',
  name: 'text',
  email: 'text',
  first_name: 'text',
  last_name: 'text',
  company_title: 'text',
  kind: 'text',
  administrator: 'bool',
  active: 'bool',
  pending: 'bool',
  password_hash: 'text',
  organisation: 'text',
  networks: 'json',
  created_at: 'time',
  updated_at: 'time',
  last_sign_in_at: 'time',
})

const insertText = users.insert(['name_key', 'email_key'])
const byNameOrder: Order = { by: [{ column: 'u.name_key', kind: 'text' }], direction: 'asc' }

export function userTable(sql: Sql): UserTable {
  const one = async (condition: string, value: string | number) => {
    const raw = await sql.one(`select ${users.list} from user_account where ${condition} = ?`, [value])
    return raw === null ? null : users.decode(raw)
  }

  // A name and an address are both accepted at sign-in, so a name must not be somebody else's address, nor the other way round. No index can say that:
  // the row of the serial counter is locked by every change of a name or address, and then looked.
  const refuseCrossing = async (id: string, name: string | undefined, email: string | null | undefined) => {
    if (name !== undefined && (await sql.one('select id from user_account where email_key = ? and id <> ?', [fold(name), id])))
      throw new DuplicateKey('users.name')
    if (typeof email === 'string' && (await sql.one('select id from user_account where name_key = ? and id <> ?', [fold(email), id])))
      throw new DuplicateKey('users.email')
  }

  return {
    async insert(row) {
      const full: UserRow = { ...row, serial: await serialOf(sql, 'user', row.serial) }
      await refuseCrossing(row.id, row.name, row.email)
      await sql.run(insertText, [...users.values(full), fold(row.name), row.email === null ? null : fold(row.email)])
      return full
    },
    byId: (id) => one('id', id),
    bySerial: (serial) => one('serial', serial),
    byName: (name) => one('name_key', fold(name)),
    async byLogin(login) {
      const key = fold(login)
      const raw = await sql.one(`select ${users.list} from user_account where name_key = ? or email_key = ?`, [key, key])
      return raw === null ? null : users.decode(raw)
    },
    async byIds(ids) {
      const raws = await sql.all(`select ${users.list} from user_account where id in (${sql.dialect.texts}) order by name_key`, [textList(ids)])
      return raws.map(users.decode)
    },
    async update(id, patch) {
      const { text, values } = users.assign(patch)
      if (text === '') return
      const parts = [text]
      const all = [...values]
      if (patch.name !== undefined || patch.email !== undefined) {
        await sql.run('update serial set value = value where name = ?', ['user'])
        await refuseCrossing(id, patch.name, patch.email)
      }
      if (patch.name !== undefined) {
        parts.push('name_key = ?')
        all.push(fold(patch.name))
      }
      if (patch.email !== undefined) {
        parts.push('email_key = ?')
        all.push(patch.email === null ? null : fold(patch.email))
      }
      await sql.run(`update user_account set ${parts.join(', ')} where id = ?`, [...all, id])
    },
    // Sessions, keys and memberships go with the row (foreign keys); grants have no foreign key, because their subject may be a group as well.
    async remove(id) {
      await sql.run('delete from grant_entry where subject_id = ?', [id])
      await sql.run('delete from follower where user_id = ?', [id])
      await sql.run('delete from user_account where id = ?', [id])
    },
    page: (filter, page) =>
      readPage(sql, {
        codec: users,
        alias: 'u',
        conditions: [among(sql, 'u.kind', filter.kinds), equal('u.id', filter.only)],
        order: byNameOrder,
        page,
        further: ['u.name_key as position'],
        position: (_, raw) => [String(raw.position)],
      }),
    async administrators() {
      const row = await sql.one('select count(*) as count from user_account where administrator = 1 and active = 1')
      return Number(row?.count)
    },
  }
}
