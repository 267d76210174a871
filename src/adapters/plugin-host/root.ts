import { realpathSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { PluginRefused } from '../../ports/plugin-host.ts'
import type { PluginPackage } from '../../ports/plugin-host.ts'

const specName = 'plugin.spec.yaml'
const specLimit = 4 * 1024 * 1024

/** The folder of a package: relative to the plugin root or absolute inside of it, links resolved. Throws `PluginRefused`. */
function packageOf(root: string, path: string): string {
  const real = resolveInside(root, path)
  if (real === null || !statSync(real).isDirectory()) throw new PluginRefused('There is no such folder below the plugin root (CAPSTAN_PLUGIN_ROOT).')
  return real
}

/** The real path of something below a folder; null when it is not there, is the folder itself, or leads out of it. */
function resolveInside(root: string, path: string): string | null {
  if (path === '' || path.includes('\0')) return null
  try {
    const top = realpathSync(root)
    // An absolute path may go by the name of the root as it was configured, links and all.
    const real = realpathSync(isAbsolute(path) ? path : join(top, path))
    const within = relative(top, resolve(real))
    return within === '' || within === '..' || within.startsWith(`..${sep}`) || isAbsolute(within) ? null : real
  } catch {
    return null
  }
}

/** A package with its spec. Its path is given relative to the root. */
async function readPackage(root: string, path: string): Promise<PluginPackage> {
  const folder = packageOf(root, path)
  const file = resolveInside(folder, specName)
  if (file === null) throw new PluginRefused(`The package has no "${specName}".`)
  return { path: relative(realpathSync(root), folder), spec: await bounded(file) }
}

async function bounded(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const stat = await file.stat()
  if (!stat.isFile() || stat.size > specLimit) throw new PluginRefused(`"${specName}" is no file, or larger than 4 MiB.`)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(stat.size), 0, stat.size, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

export { packageOf, readPackage }
