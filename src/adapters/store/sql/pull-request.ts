import type { PullRequestRow, PullRequestTable } from '../../../ports/store/reviews.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { seesThrough } from './permission.ts'
import { serialOf } from './serial.ts'
import { equal } from './sql.ts'
import type { Part, Sql } from './sql.ts'

const pullRequests = codec<PullRequestRow>('pull_request', {
  id: 'text',
  serial: 'int',
  target_id: 'text',
  target_branch: 'text',
  source_id: 'text',
  source_branch: 'text',
  author_id: 'text',
  author: 'text',
  state: 'text',
  title: 'text',
  description: 'text',
  head: 'text',
  base: 'text',
  reviewers: 'json',
  merge: 'json',
  version: 'int',
  created_at: 'time',
  updated_at: 'time',
  closed_at: 'time',
})

const insertText = pullRequests.insert()
const newestFirst: Order = { by: [{ column: 'p.serial', kind: 'number' }], direction: 'desc' }

const alive = (column: string) => `exists (select 1 from resource t where t.id = ${column} and t.deleted_at is null)`
// What was merged is part of its target, so it stays readable there when its source is gone.
const readThrough = `case when p.state = 'merged' and not ${alive('p.source_id')} then p.target_id else p.source_id end`
const targetIsThere: Part = { text: alive('p.target_id'), values: [] }

function pullRequestTable(sql: Sql): PullRequestTable {
  const one = async (condition: string, values: (string | number)[]) => {
    const raw = await sql.one(`select ${pullRequests.list} from pull_request where ${condition}`, values)
    return raw === null ? null : pullRequests.decode(raw)
  }
  return {
    async insert(row) {
      const full: PullRequestRow = { ...row, serial: await serialOf(sql, 'pull-request', row.serial), version: 1 }
      await sql.run(insertText, pullRequests.values(full))
      return full
    },
    byId: (id) => one('id = ?', [id]),
    bySerial: (serial) => one('serial = ?', [serial]),
    open: ({ target_id, target_branch, source_id, source_branch }) =>
      one(`target_id = ? and target_branch = ? and source_id = ? and source_branch = ? and state = 'open'`, [
        target_id,
        target_branch,
        source_id,
        source_branch,
      ]),
    async update(id, patch) {
      const { text, values } = pullRequests.assign(patch)
      if (text !== '') await sql.run(`update pull_request set ${text}, version = version + 1 where id = ?`, [...values, id])
    },
    page: (filter, viewer, page) =>
      readPage(sql, {
        codec: pullRequests,
        alias: 'p',
        conditions: [
          equal('p.target_id', filter.targetId),
          equal('p.source_id', filter.sourceId),
          equal('p.author_id', filter.authorId),
          equal('p.state', filter.state),
          targetIsThere,
          seesThrough(viewer, readThrough, null),
        ],
        order: newestFirst,
        page,
        position: (row) => [row.serial],
      }),
  }
}

export { pullRequestTable }
