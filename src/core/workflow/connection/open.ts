import { viewerOf } from '../../identity/principal.ts'
import { atLeast } from '../../kernel/level.ts'
import { isUuid } from '../../kernel/id.ts'
import { sortParameters, withSpecDefaults } from './parameters.ts'
import { connectionKey, connectionSpecOf, openParameters } from './spec.ts'
import { heldOn } from '../../access/held.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Principal } from '../../identity/principal.ts'
import type { Services } from '../../operation/services.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { WorkflowPlugin } from '../document/model.ts'

/** A connection that may be used: its parameters with secrets, and the secrets by themselves for who masks them. `key` changes whenever it changes. */
type OpenedConnection = { readonly key: string; readonly parameters: JsonObject; readonly secrets: readonly string[] }

/** Whose connection is wanted. `form` is the `connection_version` of the spec: one that was stored for another does not fit. */
type ConnectionUser = Pick<WorkflowPlugin, 'vendor' | 'name'> & { readonly form?: number }

/**
 * Opens a connection for a call of a plugin in the name of whoever started the run, who owns it or holds *execute* on it. `reference` is its number or its
 * name. Otherwise why it cannot be used, in words for the author of the workflow.
 */
async function openConnection(
  services: Services,
  starter: Principal,
  reference: number | string,
  plugin: ConnectionUser,
): Promise<OpenedConnection | { readonly problem: string }> {
  const row = await usableConnection(services.store.reader, starter, reference)
  if (!row) return { problem: missing(reference) }
  const problem = wrongPlugin(row, plugin) ?? wrongForm(row, plugin.form ?? null)
  if (problem !== null) return { problem }
  try {
    const { schema } = connectionSpecOf(row)
    const parameters = withSpecDefaults(schema, openParameters(services.secretBox, row))
    return { key: connectionKey(row), parameters, secrets: sortParameters(schema, parameters).secrets }
  } catch (error) {
    services.log.warn('connection.not_opened', { connection: row.id, error })
    return { problem: `the settings of the connection "${row.name}" cannot be opened any more; enter them again` }
  }
}

/** The row of a connection that somebody may use; null where there is none for them. */
async function usableConnection(db: Tables, who: Principal, reference: number | string): Promise<ResourceRow | null> {
  const row = await connectionAt(db, reference)
  if (row?.kind !== 'connection' || row.deleted_at !== null) return null
  const { level } = await heldOn(db, row, viewerOf(who))
  return atLeast(level, 'execute') ? row : null
}

/** The row that a connection's number, name or id stands for, whoever may use it; deleted ones may be found by number or id. */
function connectionAt({ resources }: Tables, reference: number | string): Promise<ResourceRow | null> {
  if (typeof reference === 'number') return Number.isSafeInteger(reference) ? resources.bySerial('connection', reference) : Promise.resolve(null)
  return isUuid(reference) ? resources.byId(reference) : resources.byName('connection', reference)
}

function missing(reference: number | string): string {
  return `there is no connection "${String(reference).slice(0, 200)}" that you may use`
}

/** Why a connection is none for a plugin; null when it is. */
function wrongPlugin(row: ResourceRow, plugin: Pick<WorkflowPlugin, 'vendor' | 'name'>): string | null {
  const { plugin_vendor: vendor, plugin_name: name } = connectionSpecOf(row)
  return vendor === plugin.vendor && name === plugin.name ? null : `the connection "${row.name}" is one of the plugin ${vendor}/${name}`
}

/** Why the stored settings do not fit what the spec wants now; null when they do, or nobody knows. */
function wrongForm(row: ResourceRow, wanted: number | null): string | null {
  const { connection_version: stored } = connectionSpecOf(row)
  if (wanted === null || wanted === stored) return null
  return `the connection "${row.name}" was made for another form of the plugin's settings (${stored}, now ${wanted}); enter them again`
}

export type { OpenedConnection }
export { openConnection, usableConnection, connectionAt, missing, wrongPlugin, wrongForm }
