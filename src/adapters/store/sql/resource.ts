import { highest, levelOf } from '../../../core/kernel/level.ts'
import type { Level } from '../../../core/kernel/level.ts'
import type { ResourceKey, ResourceRow } from '../../../ports/store/rows.ts'
import type { ResourceFilter, ResourceTable, Viewer } from '../../../ports/store/tables.ts'
import { codec, fold } from './codec.ts'
import { readPage } from './page.ts'
import type { Order } from './page.ts'
import { grantsOn, grantsOnAll, holds, isOwner } from './permission.ts'
import { serialOf } from './serial.ts'
import { equal, textList } from './sql.ts'
import type { Part, Sql } from './sql.ts'

const resources = codec<ResourceRow>('resource', {
  id: 'text',
  kind: 'text',
  serial: 'int',
  name: 'text',
  owner_id: 'text',
  parent_id: 'text',
  private: 'bool',
  active: 'bool',
  state: 'text',
  spec: 'json',
  version: 'int',
  created_at: 'time',
  updated_at: 'time',
  deleted_at: 'time',
})

const keys = codec<ResourceKey>('resource', { id: 'text', kind: 'text', serial: 'int', name: 'text', owner_id: 'text', version: 'int' })

const insertText = resources.insert(['name_key'])
const byNameOrder: Order = { by: [{ column: 'r.name', kind: 'text' }], direction: 'asc' }

// Above every text that begins with the prefix, in byte order.
const last = '\u{10ffff}'

function resourceTable(sql: Sql): ResourceTable {
  const one = async (condition: string, values: (string | number)[]) => {
    const raw = await sql.one(`select ${resources.list} from resource where ${condition}`, values)
    return raw === null ? null : resources.decode(raw)
  }
  return {
    async insert(row) {
      const full: ResourceRow = { ...row, serial: await serialOf(sql, `resource:${row.kind}`, row.serial), version: 1, deleted_at: null }
      await sql.run(insertText, [...resources.values(full), fold(row.name)])
      return full
    },
    byId: (id) => one('id = ?', [id]),
    byName: (kind, name) => one('kind = ? and name = ? and deleted_at is null', [kind, name]),
    bySerial: (kind, serial) => one('kind = ? and serial = ?', [kind, serial]),
    async byIds(ids) {
      const raws = await sql.all(`select ${resources.list} from resource where id in (${sql.dialect.texts}) order by kind, name, id`, [textList(ids)])
      return raws.map(resources.decode)
    },
    async update(id, patch) {
      const { text, values } = resources.assign(patch)
      if (text === '') return
      const named = patch.name === undefined ? { text: '', values: [] } : { text: 'name_key = ?, ', values: [fold(patch.name)] }
      await sql.run(`update resource set ${text}, ${named.text}version = version + 1 where id = ?`, [...values, ...named.values, id])
    },
    async movePrefix(kind, from, to, at) {
      const below = await sql.all('select id, name from resource where kind = ? and name > ? and name < ? and deleted_at is null', [
        kind,
        `${from}/`,
        `${from}/${last}`,
      ])
      for (const { id, name } of below) {
        const moved = `${to}/${String(name).slice(from.length + 1)}`
        await sql.run('update resource set name = ?, name_key = ?, updated_at = ?, version = version + 1 where id = ?', [
          moved,
          fold(moved),
          at,
          String(id),
        ])
      }
    },
    async markDeleted(id, at) {
      await sql.run('update resource set deleted_at = ?, updated_at = ?, version = version + 1 where id = ? and deleted_at is null', [at, at, id])
    },
    async deletedBefore(kind, before, limit) {
      const text = `select ${resources.list} from resource where kind = ? and deleted_at is not null and deleted_at < ? order by deleted_at, id limit ?`
      return (await sql.all(text, [kind, before, limit])).map(resources.decode)
    },
    async remove(id) {
      await sql.run('delete from grant_entry where resource_id = ? or subject_id = ?', [id, id])
      await sql.run('delete from group_member where group_id = ?', [id])
      await sql.run('delete from follower where resource_id = ?', [id])
      await sql.run('delete from commit_vote where repository_id = ?', [id])
      // Those on its commits: `<id>/<commit>`.
      await sql.run('delete from comment where subject_id > ? and subject_id < ?', [`${id}/`, `${id}0`])
      await sql.run('delete from resource where id = ?', [id])
    },
    async access(resource, viewer, { ownerIsAdmin }) {
      if (resource.deleted_at !== null) return { level: 'none', extras: [] }
      if (viewer.administrator) return { level: 'admin', extras: [] }
      const { text, values } = grantsOn(resource, viewer)
      const raws = await sql.all(text, values)
      const extras = raws.flatMap((raw) => JSON.parse(String(raw.extras)) as string[]) // the column holds lists of texts only
      const owned = ownerIsAdmin && isOwner(resource, viewer)
      return { level: owned ? 'admin' : highest(raws.map((raw) => levelOf(Number(raw.level)))), extras: [...new Set(extras)].sort() }
    },
    async accessAll(rows, viewer, { ownerIsAdmin }) {
      const held = new Map<string, { level: Level; extras: string[] }>()
      const everything = (row: { owner_id: string | null }) => viewer.administrator || (ownerIsAdmin && isOwner(row, viewer))
      for (const row of rows) held.set(row.id, { level: everything(row) ? 'admin' : 'none', extras: [] })
      if (viewer.administrator || rows.length === 0) return held
      const { text, values } = grantsOnAll(sql.dialect.texts, textList(rows.map(({ id }) => id)), viewer)
      for (const raw of await sql.all(text, values)) {
        const before = held.get(String(raw.of_resource))
        if (!before) continue
        const extras = JSON.parse(String(raw.extras)) as string[] // the column holds lists of texts only
        before.level = highest([before.level, levelOf(Number(raw.level))])
        if (extras.length > 0) before.extras = [...new Set([...before.extras, ...extras])].sort()
      }
      return held
    },
    page: (filter, viewer, options, page) => readPage(sql, { codec: resources, ...listed(filter, viewer, options), page }),
    keys: (filter, viewer, options, page) => readPage(sql, { codec: keys, ...listed(filter, viewer, options), page }),
    async visible(ids, viewer, { need, ownerIsAdmin }) {
      const held = holds(viewer, need, ownerIsAdmin ? '1 = 1' : null)
      const text = `select r.id from resource r where r.id in (${sql.dialect.texts}) and r.deleted_at is null and ${held.text}`
      const raws = await sql.all(text, [textList(ids), ...held.values])
      return new Set(raws.map((raw) => String(raw.id)))
    },
    async countChildren(id) {
      const row = await sql.one('select count(*) as count from resource where parent_id = ? and deleted_at is null', [id])
      return Number(row?.count)
    },
  }
}

function listed(filter: ResourceFilter, viewer: Viewer, { need, ownerIsAdmin }: { need: Level; ownerIsAdmin: boolean }) {
  return {
    alias: 'r',
    conditions: [...filtered(filter), holds(viewer, need, ownerIsAdmin ? '1 = 1' : null)],
    order: byNameOrder,
    position: (row: ResourceKey) => [row.name],
  }
}

function filtered(filter: ResourceFilter): (Part | null)[] {
  const { prefix, search } = filter
  return [
    equal('r.kind', filter.kind),
    { text: 'r.deleted_at is null', values: [] },
    equal('r.parent_id', filter.parentId),
    equal('r.owner_id', filter.ownerId),
    prefix ? { text: 'r.name >= ? and r.name < ?', values: [prefix, prefix + last] } : null,
    search ? { text: `r.name_key like ? escape '!'`, values: [`%${fold(search).slice(0, 1000).replace(/[!%_]/g, '!$&')}%`] } : null,
  ]
}

export { resources, resourceTable }
