import type { MemberTable } from '../../../ports/store/tables.ts'
import { resources } from './resource.ts'
import { textList } from './sql.ts'
import type { Sql } from './sql.ts'
import { users } from './user.ts'

function memberTable(sql: Sql): MemberTable {
  return {
    async add(groupId, userId, at) {
      const text = 'insert into group_member (group_id, user_id, created_at) values (?, ?, ?) on conflict (group_id, user_id) do nothing'
      return (await sql.run(text, [groupId, userId, at])) > 0
    },
    async remove(groupId, userId) {
      return (await sql.run('delete from group_member where group_id = ? and user_id = ?', [groupId, userId])) > 0
    },
    async ofGroup(groupId) {
      const text = `select ${users.listOf('u')} from group_member m join user_account u on u.id = m.user_id where m.group_id = ? order by u.name_key`
      return (await sql.all(text, [groupId])).map(users.decode)
    },
    async ofGroups(groupIds) {
      const text = `select m.group_id as of_group, ${users.listOf('u')} from group_member m join user_account u on u.id = m.user_id
        where m.group_id in (${sql.dialect.texts}) order by u.name_key`
      const byGroup = new Map<string, ReturnType<typeof users.decode>[]>()
      for (const raw of await sql.all(text, [textList(groupIds)])) {
        const group = String(raw.of_group)
        byGroup.set(group, [...(byGroup.get(group) ?? []), users.decode(raw)])
      }
      return byGroup
    },
    async groupsOf(userId) {
      const text = `select ${resources.listOf('r')} from group_member m join resource r on r.id = m.group_id
        where m.user_id = ? and r.deleted_at is null order by r.name, r.id`
      return (await sql.all(text, [userId])).map(resources.decode)
    },
  }
}

export { memberTable }
