import { memberOf, textMember } from '../document/members.ts'
import { readSpec } from './spec.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { InstalledPlugin } from '../../../ports/plugin-host.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { PluginSpec } from './spec.ts'

/** What is kept of an installed plugin as the `spec` of its resource. */
type PluginRecord = Omit<InstalledPlugin, 'vendor' | 'name' | 'version'> & {
  readonly vendor: string
  readonly name: string
  readonly version: string
  /** `warm`: it stays between calls where it can; `cold`: a process for each call. */
  readonly mode: 'warm' | 'cold'
  /** The text of its `plugin.spec.yaml`. */
  readonly text: string
}

/** How many specs are kept read. */
const capacity = 200
const known = new Map<string, Promise<PluginSpec>>()

/** `<vendor>/<name>/<version>`: the name of the resource. */
function pluginName({ vendor, name, version }: { readonly vendor: string; readonly name: string; readonly version: string }): string {
  return `${vendor}/${name}/${version}`
}

function pluginRecordOf({ spec }: Pick<ResourceRow, 'spec'>): PluginRecord {
  return {
    vendor: textMember(spec, 'vendor'),
    name: textMember(spec, 'name'),
    version: textMember(spec, 'version'),
    runtime: textMember(spec, 'runtime') === 'container' ? 'container' : 'process',
    path: textMember(spec, 'path') || null,
    image: textMember(spec, 'image') || null,
    cache: memberOf(spec, 'cache') === true,
    mode: textMember(spec, 'mode') === 'cold' ? 'cold' : 'warm',
    text: textMember(spec, 'text'),
  }
}

function storedRecord(record: PluginRecord): JsonObject {
  return { ...record }
}

/** The spec of an installed plugin, read once: a version of a plugin never changes after it was installed. */
function specOfRow(row: Pick<ResourceRow, 'id' | 'spec'>): Promise<PluginSpec> {
  const before = known.get(row.id)
  if (before) {
    known.delete(row.id)
    known.set(row.id, before)
    return before
  }
  const fresh = readSpec(pluginRecordOf(row).text)
  known.set(row.id, fresh)
  const [oldest] = known.keys()
  if (known.size > capacity && oldest !== undefined) known.delete(oldest)
  return fresh
}

export type { PluginRecord }
export { pluginName, pluginRecordOf, storedRecord, specOfRow }
