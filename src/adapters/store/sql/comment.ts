import type { CommentRow, CommentTable } from '../../../ports/store/reviews.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { nextSerial } from './serial.ts'
import { equal, textList } from './sql.ts'
import type { Sql } from './sql.ts'

const comments = codec<CommentRow>('comment', {
  id: 'text',
  serial: 'int',
  subject_id: 'text',
  author_id: 'text',
  author: 'text',
  at: 'time',
  status: 'text',
  head: 'text',
  text: 'text',
})

const insertText = comments.insert()
const oldestFirst: Order = { by: [{ column: 'c.serial', kind: 'number' }], direction: 'asc' }

export function commentTable(sql: Sql): CommentTable {
  return {
    async insert(row) {
      const full: CommentRow = { ...row, serial: await nextSerial(sql, 'comment') }
      await sql.run(insertText, comments.values(full))
      return full
    },
    page: (subjectId, page) =>
      readPage(sql, {
        codec: comments,
        alias: 'c',
        conditions: [equal('c.subject_id', subjectId)],
        order: oldestFirst,
        page,
        position: (row) => [row.serial],
      }),
    async count(subjectId) {
      const row = await sql.one('select count(*) as count from comment where subject_id = ?', [subjectId])
      return Number(row?.count)
    },
    async votes(subjectIds) {
      const text = `select ${comments.list} from comment where serial in (select max(serial) from comment
        where subject_id in (${sql.dialect.texts}) and status is not null group by subject_id, author_id) order by serial`
      return (await sql.all(text, [textList(subjectIds)])).map(comments.decode)
    },
  }
}
