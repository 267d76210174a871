import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { capture } from './capture.ts'
import { places } from './ground.ts'
import { launch } from './launch.ts'
import type { Ground } from './ground.ts'
import type { Launch } from './launch.ts'
import type { Program, Setting } from './program.ts'

const makeMs = 15 * 60 * 1000
const checkMs = 60_000
const runtimes = [
  { module: 'insightconnect_plugin_runtime', distribution: 'insightconnect-plugin-runtime' },
  { module: 'komand', distribution: 'komand' },
] as const

// Arguments: interpreter, folder of the environment, then what pip shall install.
const makeScript = `
python=$1 environment=$2
shift 2
"$python" -m venv "$environment" || exit 1
exec "$environment/bin/python" -m pip install --no-input --disable-pip-version-check --no-cache-dir --retries 1 --quiet "$@"
`

/**
 * Makes the virtual environment of a plugin in Python, once: from the requirements of its package, and with the runtime that it imports where neither the
 * package nor the requirements bring it. It is made in the plugin's own sandbox, because building what is required runs the code of others. Without an index
 * the interpreter of the configuration has to do; `PluginRefused` when it does not either.
 */
async function prepareEnvironment(ground: Ground, setting: Setting, program: Program, signal: AbortSignal): Promise<void> {
  const { folder, launch: given } = program
  if (existsSync(folder.made)) return
  const wanted = wantedOf(given.package)
  if (wanted.length === 0) return
  await removeTree(folder.environment)
  mkdirSync(folder.environment, { mode: 0o755 })
  if (folder.uid !== null) chownSync(folder.environment, folder.uid, folder.uid)
  const made = await runTool(ground, {
    ...given,
    more: [...given.more, { from: folder.environment, to: places.environment, writable: true }],
    command: (paths) => ['/bin/sh', '-c', makeScript, 'environment', setting.python, paths.at(places.environment, folder.environment), ...wanted],
    environment: () => ({}),
    ...{ timeoutMs: makeMs, signal },
  })
  if (made.code === 0) {
    chmodSync(folder.environment, 0o755)
    writeFileSync(folder.made, `${wanted.join(' ')}\n`, { mode: 0o600 })
    return
  }
  await removeTree(folder.environment)
  ground.log.warn('plugin.environment', { package: given.package, why: made.said })
  const checked = await runTool(ground, {
    ...given,
    command: (paths) => program.command(paths, ['info']),
    environment: (paths) => program.environment(paths),
    ...{ timeoutMs: checkMs, signal },
  })
  if (checked.code !== 0)
    throw new PluginRefused(
      `The requirements of the plugin cannot be installed (${made.said}), and without them it does not start (${checked.said}). Make a package index reachable, or lay what it imports into the package.`,
    )
}

/** What pip is asked for: the file of requirements, and the runtime when it is nowhere else. */
function wantedOf(folder: string): string[] {
  const lines = textOf(join(folder, 'requirements.txt'))
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean)
  const file = lines.length > 0 ? ['-r', 'requirements.txt'] : []
  const missing = runtimes.filter(
    ({ module, distribution }) =>
      imports(folder, module) &&
      !existsSync(join(folder, module)) &&
      !lines.some((line) => line.toLowerCase().replaceAll('_', '-').startsWith(distribution)),
  )
  return [...file, ...missing.slice(0, 1).map(({ distribution }) => distribution)]
}

// The entry point and the package beside it: three levels of folders hold every import of a runtime.
function imports(folder: string, module: string, depth = 0): boolean {
  const pattern = new RegExp(`^\\s*(?:import|from)\\s+${module}\\b`, 'm')
  return readdirSync(folder, { withFileTypes: true })
    .slice(0, 500)
    .some((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return depth < 3 && !entry.name.startsWith('.') && entry.name !== module && imports(path, module, depth + 1)
      return (
        entry.isFile() && (entry.name.endsWith('.py') || folder.endsWith('/bin')) && statSync(path).size < 1_000_000 && pattern.test(textOf(path))
      )
    })
}

type Tool = Omit<Launch, 'how'> & { readonly timeoutMs: number; readonly signal: AbortSignal }

async function runTool(ground: Ground, { timeoutMs, signal, ...what }: Tool): Promise<{ readonly code: number | null; readonly said: string }> {
  signal.throwIfAborted()
  const running = await launch(ground, { ...what, how: 'message', addressSpace: false })
  const stop = () => void running.end(0)
  const err = capture(running.err, ground.limits.outputBytes, () => {})
  running.out.resume()
  running.input.end()
  const timer = ground.clock.after(timeoutMs, stop)
  signal.addEventListener('abort', stop, { once: true })
  const { code } = await running.ended
  timer.cancel()
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  return { code, said: err.tail().trimEnd().split('\n').at(-1)?.trim().slice(0, 500) || `it ended with ${code}` }
}

function textOf(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

export { prepareEnvironment }
