import { createHash } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeTree } from '../runtime/process/remove.ts'
import type { InstalledPlugin } from '../../ports/plugin-host.ts'
import type { Ground } from './ground.ts'

/** What the server keeps for a plugin beside its package. */
type PluginFolder = {
  readonly path: string
  /** The user of all its processes; null where the server cannot give them one. */
  readonly uid: number | null
  readonly environment: string
  /** Where it is written that the environment is complete: out of the plugin's reach. */
  readonly made: string
  readonly cache: string
}

/** One name for a plugin in exactly this version. */
function keyOf({ vendor, name, version }: Pick<InstalledPlugin, 'vendor' | 'name' | 'version'>): string {
  return createHash('sha256')
    .update(JSON.stringify([vendor, name, version]))
    .digest('hex')
    .slice(0, 24)
}

/** The folder of a plugin, made when it is missing. */
function folderOfPlugin(ground: Ground, plugin: InstalledPlugin): PluginFolder {
  const name = `plugin-${keyOf(plugin)}`
  const path = join(ground.work, name)
  const folder = { path, environment: join(path, 'environment'), made: join(path, 'made'), cache: join(path, 'cache') }
  if (!existsSync(path)) mkdirSync(path, { mode: 0o711 })
  const uid = ground.sandbox.ownUser && ground.uids ? userOf(ground.uids, path, name) : null
  if (!existsSync(folder.cache)) {
    mkdirSync(folder.cache, { mode: 0o700 })
    if (uid !== null) chownSync(folder.cache, uid, uid)
  }
  return { ...folder, uid }
}

// One for all processes of the plugin, for ever: what one of them leaves in the cache, the next may read.
function userOf(uids: NonNullable<Ground['uids']>, path: string, name: string): number {
  const file = join(path, 'user')
  try {
    const known = Number(readFileSync(file, 'utf8'))
    if (Number.isSafeInteger(known) && known > 0) return known
  } catch {}
  const uid = uids.take(name)
  writeFileSync(file, String(uid), { mode: 0o600 })
  return uid
}

async function removePluginFolder(ground: Ground, plugin: InstalledPlugin): Promise<void> {
  const folder = folderOfPlugin(ground, plugin)
  await removeTree(folder.path)
  if (folder.uid !== null) ground.uids?.release(folder.uid)
}

export type { PluginFolder }
export { keyOf, folderOfPlugin, removePluginFolder }
