import { timestamp } from '../../kernel/clock.ts'
import { Closed, Time, Type } from '../../kernel/schema.ts'
import { connectionSpecOf } from './spec.ts'
import type { Static } from '../../kernel/schema.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

const Connection = Closed({
  id: Type.String(),
  serial: Type.Integer({ description: 'What steps of workflows name it by.' }),
  name: Type.String(),
  plugin_vendor: Type.String(),
  plugin_name: Type.String(),
  plugin_version: Type.String(),
  connection_version: Type.Integer(),
  parameters: Type.Unknown({ description: 'With `********` in place of every secret.' }),
  created_at: Time,
  updated_at: Time,
})

/** A connection as callers see it: never with a secret. */
function viewConnection(row: ResourceRow): Static<typeof Connection> {
  const { plugin_vendor, plugin_name, plugin_version, connection_version, shown } = connectionSpecOf(row)
  return {
    id: row.id,
    serial: row.serial,
    name: row.name,
    plugin_vendor,
    plugin_name,
    plugin_version,
    connection_version,
    parameters: shown,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }
}

export { Connection, viewConnection }
