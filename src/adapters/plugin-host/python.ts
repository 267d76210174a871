import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { removeTree } from '../runtime/process/remove.ts'
import { capture } from './capture.ts'
import { places } from './ground.ts'
import { launch } from './launch.ts'
import { exactScript, looseScript, needsScript, wantedOf } from './python-runtime.ts'
import type { Ground } from './ground.ts'
import type { Launch } from './prepare.ts'
import type { PluginFolder } from './plugin-folder.ts'
import type { Program } from './program.ts'

const makeMs = 15 * 60 * 1000
const checkMs = 60_000

/**
 * Makes the virtual environment of a plugin in Python, once: from the requirements of its package, and with the runtime that it imports where neither the
 * package nor the requirements bring it. Where these cannot be had as they are pinned, or the runtime does not load with them, it is made of the same things
 * in versions that go together today. It is made in the plugin's own sandbox, because building what is required runs the code of others. Without an index
 * the interpreter of the configuration has to do; `PluginRefused` when it does not either.
 */
async function prepareEnvironment(ground: Ground, program: Program, signal: AbortSignal): Promise<void> {
  const { folder, launch: given } = program
  if (existsSync(folder.made)) return
  const { install, runtime } = wantedOf(given.package)
  if (install.length === 0) return
  const make = async (script: string, what: readonly string[]) => {
    await removeTree(folder.environment)
    mkdirSync(folder.environment, { mode: 0o755 })
    if (folder.uid !== null) chownSync(folder.environment, folder.uid, folder.uid)
    return runTool(ground, {
      ...given,
      more: [...given.more, { from: folder.environment, to: places.environment, writable: true }],
      command: (paths) => ['/bin/sh', '-c', script, 'environment', program.python, paths.at(places.environment, folder.environment), ...what],
      environment: () => ({}),
      ...{ timeoutMs: makeMs, signal },
    })
  }
  const exact = await make(exactScript, [runtime?.module ?? '', ...install])
  if (exact.code === 0) return keep(folder, install)
  ground.log.warn('plugin.environment', { package: given.package, why: exact.said })
  if (runtime) {
    const { module, distribution, wanted } = runtime
    const loose = await make(looseScript, [module, distribution, wanted, needsScript])
    if (loose.code === 0) return keep(folder, [wanted, 'with what it needs in other versions'])
    ground.log.warn('plugin.environment', { package: given.package, why: loose.said })
  }
  await removeTree(folder.environment)
  const checked = await runTool(ground, {
    ...given,
    command: (paths) => program.command(paths, ['info']),
    environment: (paths) => program.environment(paths),
    ...{ timeoutMs: checkMs, signal },
  })
  if (checked.code !== 0)
    throw new PluginRefused(
      `The requirements of the plugin cannot be installed (${exact.said}), and without them it does not start (${checked.said}). Make a package index reachable, or lay what it imports into the package.`,
    )
}

function keep(folder: PluginFolder, what: readonly string[]): void {
  chmodSync(folder.environment, 0o755)
  writeFileSync(folder.made, `${what.join(' ')}\n`, { mode: 0o600 })
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
  return { code, said: reasonIn(err.tail()) || `it ended with ${code}` }
}

// The last line, but pip ends with a note that says where to look for the reason.
function reasonIn(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(note|hint): /.test(line))
  return (lines.findLast((line) => /^error: /i.test(line)) ?? lines.at(-1) ?? '').slice(0, 500)
}

export { prepareEnvironment }
