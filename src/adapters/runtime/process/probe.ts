import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { openEnvironment, searchPath } from './environment.ts'
import { folderOf, makeFolder } from './folder.ts'
import { giveFolders } from './launch.ts'
import type { Sandbox } from './sandbox.ts'

// Run inside: what must be out of reach is reached for. Arguments: the server's pid, `closed` where folders are hidden by their mode only, then the paths.
const probeScript = `
server=$1 how=$2
shift 2
if kill -0 "$server" 2>/dev/null; then echo 'the server can be signalled'; exit 1; fi
for path do
  if [ -d "$path" ]; then
    if [ "$how" = closed ] && [ -x "$path" ]; then echo "other users may enter $path"; exit 1; fi
    if [ -n "$(ls -A "$path" 2>/dev/null)" ]; then echo "$path can be read"; exit 1; fi
  elif [ -s "$path" ] && [ -r "$path" ]; then echo "$path can be read"; exit 1; fi
done
for path in "$PWD" "$HOME" "$TMPDIR"; do
  if ! echo probe >"$path/probe"; then echo "$path cannot be written"; exit 1; fi
done
`

/** Runs a real piece of work in the sandbox that tries to break out. Null when it holds, else why it does not do here. */
export async function probe(
  sandbox: Sandbox,
  options: { root: string; hide: readonly string[]; uid: number | null; token: string },
): Promise<string | null> {
  const folder = folderOf(options.root, `.probe-${options.token}`)
  try {
    makeFolder(folder)
    if (options.uid !== null) await giveFolders(folder, options.uid)
    const { home, tmp } = sandbox.paths(folder)
    const environment = openEnvironment(folder, { PATH: searchPath, HOME: home, TMPDIR: tmp }, options.uid)
    try {
      const how = sandbox.mechanism === 'user' ? 'closed' : 'masked'
      const command = ['/bin/sh', '-c', probeScript, 'probe', String(process.pid), how, ...options.hide]
      return await outcome(sandbox.launch(folder, { command, uid: options.uid, processes: 64 }), environment)
    } finally {
      closeSync(environment)
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await rm(folder.path, { recursive: true, force: true })
  }
}

function outcome(argv: readonly string[], environment: number): Promise<string | null> {
  const [program = '', ...rest] = argv
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const child = spawn(program, rest, {
    cwd: '/',
    env: { PATH: searchPath },
    stdio: [environment, 'pipe', 'pipe', 'ignore'],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  })
  let said = ''
  const hear = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(0, 500)
  }
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  child.once('error', (error) => resolve('code' in error && error.code === 'ENOENT' ? `${program} is not installed` : error.message))
  child.once('close', (code) => resolve(code === 0 ? null : said.trim() || `it ended with ${code}`))
  return promise
}
