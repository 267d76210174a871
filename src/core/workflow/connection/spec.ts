import { canonical } from '../../kernel/json.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { sortParameters } from './parameters.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { SecretBox } from '../../../ports/secret-box.ts'

/** What is special to a connection, kept as the `spec` of its resource. */
type ConnectionSpec = {
  readonly plugin_vendor: string
  readonly plugin_name: string
  readonly plugin_version: string
  /** Of the plugin's spec when the parameters were stored: with another one they do not fit. */
  readonly connection_version: number
  /** The schema of the parameters then; null: nobody knew it, and all of them are secret. */
  readonly schema: JsonObject | null
  /** The parameters as they are shown. */
  readonly shown: JsonObject
  /** All parameters, sealed. */
  readonly sealed: string
  /** The same as long as the parameters are. */
  readonly mark: string
}

function connectionSpecOf({ spec }: Pick<ResourceRow, 'spec'>): ConnectionSpec {
  const schema = memberOf(spec, 'schema')
  return {
    plugin_vendor: textMember(spec, 'plugin_vendor'),
    plugin_name: textMember(spec, 'plugin_name'),
    plugin_version: textMember(spec, 'plugin_version'),
    connection_version: Number(memberOf(spec, 'connection_version') ?? 1),
    schema: isJsonObject(schema) ? schema : null,
    shown: objectMember(spec, 'shown'),
    sealed: textMember(spec, 'sealed'),
    mark: textMember(spec, 'mark'),
  }
}

/** What the parameters of a connection are sealed for. */
function connectionContext(id: string): string {
  return `connection:${id}`
}

/** The parameters as they are kept: what is shown, and all of them sealed. */
function storedParameters(box: SecretBox, id: string, schema: JsonObject | null, parameters: JsonObject) {
  return {
    schema,
    shown: sortParameters(schema, parameters).shown,
    sealed: box.seal(JSON.stringify(parameters), connectionContext(id)),
    mark: box.fingerprint(canonical(parameters), connectionContext(id)).slice(0, 32),
  }
}

/** Tells processes that hold a connection apart from those that hold what it was before: it changes with the parameters and the plugin. */
function connectionKey(row: Pick<ResourceRow, 'id' | 'spec'>): string {
  const { mark, plugin_version: version } = connectionSpecOf(row)
  return `${row.id}.${mark}.${version}`
}

/** The parameters with their secrets. Throws when they were sealed elsewhere. */
function openParameters(box: SecretBox, row: Pick<ResourceRow, 'id' | 'spec'>): JsonObject {
  const { sealed } = connectionSpecOf(row)
  return JSON.parse(box.open(sealed, connectionContext(row.id)).reveal()) as JsonObject // written by storedParameters
}

export type { ConnectionSpec }
export { connectionSpecOf, storedParameters, connectionKey, openParameters }
