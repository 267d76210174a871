import type { GistRevisionRow, GistRow, GistTable } from '../../../ports/store/gists.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import { holds } from './permission.ts'
import { resources } from './resource.ts'
import { equal, textList } from './sql.ts'
import type { Sql } from './sql.ts'

const gists = codec<GistRow>('gist', { id: 'text', description: 'json', revision: 'int', expires_at: 'time' })
const revisions = codec<GistRevisionRow>('gist_revision', { gist_id: 'text', number: 'int', created_at: 'time', files: 'json' })

function gistTable(sql: Sql): GistTable {
  return {
    async insert(row) {
      await sql.run(gists.insert(), gists.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${gists.list} from gist where id = ?`, [id])
      return raw === null ? null : gists.decode(raw)
    },
    async byIds(ids) {
      return (await sql.all(`select ${gists.list} from gist where id in (${sql.dialect.texts}) order by id`, [textList(ids)])).map(gists.decode)
    },
    async update(id, patch) {
      const { text, values } = gists.assign(patch)
      if (text !== '') await sql.run(`update gist set ${text} where id = ?`, [...values, id])
    },
    async addRevision(row) {
      await sql.run(revisions.insert(), revisions.values(row))
    },
    async revision(gistId, number) {
      const raw = await sql.one(`select ${revisions.list} from gist_revision where gist_id = ? and "number" = ?`, [gistId, number])
      return raw === null ? null : revisions.decode(raw)
    },
    async removeRevisions(gistId, upTo) {
      await sql.run('delete from gist_revision where gist_id = ? and "number" <= ?', [gistId, upTo])
    },
    page: (filter, viewer, page) =>
      readPage(sql, {
        codec: resources,
        alias: 'r',
        conditions: [
          equal('r.kind', 'gist'),
          { text: 'r.deleted_at is null', values: [] },
          equal('r.owner_id', filter.ownerId),
          {
            text: 'exists (select 1 from gist g where g.id = r.id and (g.expires_at is null or g.expires_at > ?))',
            values: [filter.now],
          },
          holds(viewer, 'read', '1 = 1'),
        ],
        order: { by: [{ column: 'r.serial', kind: 'number' }], direction: 'desc' },
        page,
        position: (row) => [row.serial],
      }),
    async expired(by, limit) {
      const raws = await sql.all('select id from gist where expires_at is not null and expires_at <= ? order by expires_at, id limit ?', [by, limit])
      return raws.map((raw) => String(raw.id))
    },
    async remove(id) {
      await sql.run('delete from gist_revision where gist_id = ?', [id])
      await sql.run('delete from gist where id = ?', [id])
    },
  }
}

export { gistTable }
