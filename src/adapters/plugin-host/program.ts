import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { searchPath } from '../runtime/process/environment.ts'
import { findEntry } from './entry.ts'
import { nodeOf, places } from './ground.ts'
import { folderOfPlugin } from './plugin-folder.ts'
import { listensAnywhere } from './python-runtime.ts'
import { packageOf } from './root.ts'
import type { InstalledPlugin } from '../../ports/plugin-host.ts'
import type { Place } from '../runtime/process/view.ts'
import type { Entry } from './entry.ts'
import type { Ground } from './ground.ts'
import type { Launch, Paths } from './prepare.ts'
import type { PluginFolder } from './plugin-folder.ts'

/** A plugin as it can be begun with any verb. */
type Program = {
  readonly entry: Entry
  readonly folder: PluginFolder
  /** What runs a plugin in Python that has no environment, and makes its environment. */
  readonly python: string
  readonly launch: Omit<Launch, 'command' | 'how' | 'environment'>
  command(paths: Paths, verb: readonly string[]): string[]
  environment(paths: Paths): Record<string, string>
  /** In http mode it takes no word for where it listens: a compiled one, or one on an old runtime. */
  listensAnywhere(): boolean
}

type Setting = { readonly root: string; readonly python: string }

/** What begins the processes of an installed plugin. Throws `PluginRefused` when its package is gone or has no entry point. */
function programOf(ground: Ground, setting: Setting, plugin: InstalledPlugin): Program {
  const path = packageOf(setting.root, plugin.path ?? '')
  const entry = findEntry(path)
  const folder = folderOfPlugin(ground, plugin)
  const at = join(path, entry.folder)
  readableBy(ground, at)
  const prepared = existsSync(folder.made)
  const more: Place[] = [
    ...(prepared ? [{ from: folder.environment, to: places.environment, writable: false }] : []),
    ...(plugin.cache ? [{ from: folder.cache, to: places.cache, writable: true }] : []),
  ]
  const python = (entry.runner.kind === 'python' && entry.runner.version !== null && installed(entry.runner.version)) || setting.python
  const interpreter = (paths: Paths) => (prepared ? join(paths.at(places.environment, folder.environment), 'bin', 'python') : python)
  return {
    entry,
    folder,
    python,
    // Node reserves gigabytes of addresses and uses little of them.
    launch: { package: at, uid: folder.uid, more, addressSpace: entry.runner.kind === 'python' || entry.runner.kind === 'shell' },
    command(paths, verb) {
      const file = join(paths.package, entry.file)
      const { runner } = entry
      if (runner.kind === 'python') return [interpreter(paths), file, ...verb]
      if (runner.kind === 'node') return [nodeOf(ground.sandbox).path, file, ...verb]
      return runner.kind === 'shell' ? [runner.program, file, ...verb] : [file, ...verb]
    },
    environment: (paths) => (entry.runner.kind === 'python' ? { PYTHONPATH: entry.imports.map((name) => join(paths.package, name)).join(':') } : {}),
    listensAnywhere: () => entry.runner.kind === 'itself' || (entry.runner.kind === 'python' && listensAnywhere(at, folder.environment)),
  }
}

// A package that asks for an interpreter which is not here is tried with the one that is.
function installed(program: string): string | null {
  const paths = isAbsolute(program) ? [program] : searchPath.split(':').map((folder) => join(folder, program))
  return paths.find((path) => existsSync(path)) ?? null
}

// A package that an operator has copied there may be closed to everybody else, and plugins are somebody else.
function readableBy({ sandbox }: Ground, path: string): void {
  if (sandbox.ownUser && (statSync(path).mode & 0o005) !== 0o005)
    throw new PluginRefused('The folder of the package is closed to other users, and plugins run as one. Open it for reading ("chmod -R a+rX").')
}

export type { Program, Setting }
export { programOf }
