import type { CommentRow, CommentTable } from '../../../ports/store/reviews.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { nextSerial } from './serial.ts'
import { equal, recordList, textList } from './sql.ts'
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
  file: 'text',
  line: 'int',
  side: 'text',
})

const insertText = comments.insert()
const oldestFirst: Order = { by: [{ column: 'c.serial', kind: 'number' }], direction: 'asc' }

export function commentTable(sql: Sql): CommentTable {
  return {
    async insert(row) {
      const full: CommentRow = { file: null, line: null, side: null, ...row, serial: await nextSerial(sql, 'comment') }
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
    async addVoted(commentId, repositoryId, commits) {
      if (commits.length === 0) return
      const columns = { comment_id: 'text', place: 'bigint', repository_id: 'text', commit_id: 'text' } as const
      const names = Object.keys(columns).join(', ')
      const rows = commits.map((commit_id, place) => ({ comment_id: commentId, place, repository_id: repositoryId, commit_id }))
      // "where true": without it SQLite reads "on" as the join's.
      const text = `insert into commit_vote (${names}) select ${names} from ${sql.dialect.records(columns)} where true on conflict do nothing`
      await sql.run(text, [recordList(rows)])
    },
    async voted(commentIds) {
      const text = `select comment_id, commit_id from commit_vote where comment_id in (${sql.dialect.texts}) order by comment_id, place`
      const found = new Map<string, string[]>()
      for (const { comment_id, commit_id } of await sql.all(text, [textList(commentIds)])) {
        const commits = found.get(String(comment_id)) ?? []
        commits.push(String(commit_id))
        found.set(String(comment_id), commits)
      }
      return found
    },
    async lastVote(repositoryId, commit) {
      const text = `select ${comments.listOf('c')} from commit_vote v join comment c on c.id = v.comment_id
        where v.repository_id = ? and v.commit_id = ? order by c.serial desc limit 1`
      const raw = await sql.one(text, [repositoryId, commit])
      return raw && comments.decode(raw)
    },
  }
}
