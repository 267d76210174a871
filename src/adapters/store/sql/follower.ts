import type { FollowerTable } from '../../../ports/store/tables.ts'
import type { Sql } from './sql.ts'
import { users } from './user.ts'

function followerTable(sql: Sql): FollowerTable {
  return {
    async add(resourceId, userId, at) {
      const text = 'insert into follower (resource_id, user_id, created_at) values (?, ?, ?) on conflict (resource_id, user_id) do nothing'
      return (await sql.run(text, [resourceId, userId, at])) > 0
    },
    async remove(resourceId, userId) {
      return (await sql.run('delete from follower where resource_id = ? and user_id = ?', [resourceId, userId])) > 0
    },
    async ofResource(resourceId) {
      const text = `select ${users.listOf('u')} from follower f join user_account u on u.id = f.user_id where f.resource_id = ? order by u.name_key`
      return (await sql.all(text, [resourceId])).map(users.decode)
    },
  }
}

export { followerTable }
