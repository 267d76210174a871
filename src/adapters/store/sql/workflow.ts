import type {
  ArtifactEntityRow,
  ArtifactEntityTable,
  WorkflowTriggerRow,
  WorkflowTriggerTable,
  WorkflowVersionRow,
  WorkflowVersionTable,
} from '../../../ports/store/workflows.ts'
import { codec } from './codec.ts'
import { readPage } from './page.ts'
import type { Sql } from './sql.ts'

const summaryKinds = {
  id: 'text',
  workflow_id: 'text',
  number: 'int',
  state: 'text',
  created_by: 'text',
  created_by_name: 'text',
  created_at: 'time',
} as const

const versions = codec<WorkflowVersionRow>('workflow_version', { ...summaryKinds, document: 'json' })
const summaries = codec<Omit<WorkflowVersionRow, 'document'>>('workflow_version', summaryKinds)
const triggers = codec<WorkflowTriggerRow>('workflow_trigger', {
  id: 'text',
  name: 'text',
  type: 'text',
  spec: 'json',
  require_auth: 'bool',
  owner_id: 'text',
  sealed: 'text',
  last_error: 'text',
  created_at: 'time',
  updated_at: 'time',
})
const entities = codec<ArtifactEntityRow>('artifact_entity', { id: 'text', artifact_id: 'text', value: 'json', created_at: 'time' })

function workflowVersionTable(sql: Sql): WorkflowVersionTable {
  return {
    async insert(row) {
      await sql.run(versions.insert(), versions.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${versions.list} from workflow_version where id = ?`, [id])
      return raw === null ? null : versions.decode(raw)
    },
    async ofWorkflow(workflowId) {
      const raws = await sql.all(`select ${summaries.list} from workflow_version where workflow_id = ? order by number desc`, [workflowId])
      return raws.map(summaries.decode)
    },
    async lastNumber(workflowId) {
      const raw = await sql.one('select max("number") as last from workflow_version where workflow_id = ?', [workflowId])
      return Number(raw?.last ?? 0)
    },
    async publish(id) {
      await sql.run(`update workflow_version set state = 'published' where id = ?`, [id])
    },
    async delete(id) {
      await sql.run('delete from workflow_version where id = ?', [id])
    },
  }
}

function workflowTriggerTable(sql: Sql): WorkflowTriggerTable {
  return {
    async insert(row) {
      await sql.run(triggers.insert(), triggers.values(row))
    },
    async byId(id) {
      const raw = await sql.one(`select ${triggers.list} from workflow_trigger where id = ?`, [id])
      return raw === null ? null : triggers.decode(raw)
    },
    async update(id, patch) {
      const { text, values } = triggers.assign(patch)
      return (await sql.run(`update workflow_trigger set ${text} where id = ?`, [...values, id])) > 0
    },
    async delete(id) {
      await sql.run('delete from trigger_binding where trigger_id = ?', [id])
      return (await sql.run('delete from workflow_trigger where id = ?', [id])) > 0
    },
    page: (filter, page) =>
      readPage(sql, {
        codec: triggers,
        alias: 't',
        conditions: [filter.type === undefined ? null : { text: 't.type = ?', values: [filter.type] }],
        order: {
          by: [
            { column: 't.created_at', kind: 'number' },
            { column: 't.id', kind: 'text' },
          ],
          direction: 'asc',
        },
        page,
        position: (row) => [row.created_at, row.id],
      }),
    async bind(workflowId, triggerId) {
      await sql.run('delete from trigger_binding where workflow_id = ?', [workflowId])
      if (triggerId !== null) await sql.run('insert into trigger_binding (workflow_id, trigger_id) values (?, ?)', [workflowId, triggerId])
    },
    async boundTo(triggerId) {
      const raws = await sql.all('select workflow_id from trigger_binding where trigger_id = ? order by workflow_id', [triggerId])
      return raws.map((raw) => String(raw.workflow_id))
    },
    async bound(type) {
      const text = `select ${triggers.listOf('t')} from workflow_trigger t
        where exists (select 1 from trigger_binding b where b.trigger_id = t.id)${type === undefined ? '' : ' and t.type = ?'} order by t.created_at, t.id`
      return (await sql.all(text, type === undefined ? [] : [type])).map(triggers.decode)
    },
  }
}

function artifactEntityTable(sql: Sql): ArtifactEntityTable {
  return {
    async insert(row) {
      // A row may be JSON's null, which is something else than no row.
      const values = entities.values(row).map((value) => value ?? 'null')
      await sql.run(entities.insert(), values)
    },
    delete: async (artifactId, id) => (await sql.run('delete from artifact_entity where artifact_id = ? and id = ?', [artifactId, id])) > 0,
    clear: (artifactId) => sql.run('delete from artifact_entity where artifact_id = ?', [artifactId]),
    async count(artifactId) {
      return Number((await sql.one('select count(*) as n from artifact_entity where artifact_id = ?', [artifactId]))?.n ?? 0)
    },
    page: (artifactId, page) =>
      readPage(sql, {
        codec: entities,
        alias: 'e',
        conditions: [{ text: 'e.artifact_id = ?', values: [artifactId] }],
        order: {
          by: [
            { column: 'e.created_at', kind: 'number' },
            { column: 'e.id', kind: 'text' },
          ],
          direction: 'asc',
        },
        page,
        position: (row) => [row.created_at, row.id],
      }),
  }
}

export { workflowVersionTable, workflowTriggerTable, artifactEntityTable }
