import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The runtime that a plugin in Python is written for, as pip and Python know it. */
type PythonRuntime = {
  readonly module: string
  readonly distribution: string
  /** What pip is asked for: a version where the package's requirements name one. */
  readonly wanted: string
}

/** What an environment is made of. */
type Wanted = {
  /** The arguments of pip; none: no environment is needed. */
  readonly install: readonly string[]
  /** Null where the package brings its runtime, or uses none that is known. */
  readonly runtime: PythonRuntime | null
}

// The newer one first: a package in the middle of being moved names both.
const runtimes = [
  { module: 'insightconnect_plugin_runtime', distribution: 'insightconnect-plugin-runtime' },
  { module: 'komand', distribution: 'komand' },
] as const

/** Makes an environment of exactly what is asked for. Arguments: interpreter, folder, module that must load then or "", then what pip shall install. */
const exactScript = `
python=$1 environment=$2 module=$3
shift 3
"$python" -m venv "$environment" || exit 1
"$environment/bin/python" -m pip install --no-input --disable-pip-version-check --no-cache-dir --retries 1 --quiet "$@" || exit 1
[ -z "$module" ] || exec "$environment/bin/python" -W ignore -c 'import importlib, sys; importlib.import_module(sys.argv[1])' "$module"
`

const needsScript = `
import importlib.metadata, re, sys
for line in importlib.metadata.requires(sys.argv[1]) or []:
    if 'extra ==' not in line and 'python_version == "2' not in line:
        print(re.match(r'[A-Za-z0-9][A-Za-z0-9._-]*', line).group())
`

/**
 * Makes an environment with what a runtime needs, in any version. Old runtimes pin versions that today's interpreters cannot build, or do not pin the one
 * package whose new version breaks another; newest ones pin what an index may not have yet. Arguments: interpreter, folder, module, distribution, what pip is
 * asked for as the runtime, the script that says what it needs. Two needs of the old ones are not written down: `pkg_resources`, which the newest setuptools
 * lack, and `gunicorn.six`, which was a copy of six.
 */
const looseScript = `
python=$1 environment=$2 module=$3 distribution=$4 runtime=$5 script=$6
pip() { "$environment/bin/python" -m pip install --no-input --disable-pip-version-check --no-cache-dir --retries 1 --quiet "$@"; }
"$python" -m venv "$environment" || exit 1
pip --no-deps "$runtime" || exit 1
needs=$("$environment/bin/python" -c "$script" "$distribution") || exit 1
own=$environment/requirements.txt
: >"$own"
[ ! -f requirements.txt ] || sed "/^[[:space:]]*$(printf %s "$distribution" | sed 's/-/[-_.]/g')[[:space:]]*\\([^[:alnum:]._-]\\|\\$\\)/Id" requirements.txt >"$own"
pip $needs 'setuptools<81' -r "$own" || exit 1
for folder in "$environment"/lib/python*/site-packages/gunicorn; do
  [ "$module" != komand ] || [ -e "$folder/six.py" ] || { pip six && echo 'from six import *' >"$folder/six.py"; } || exit 1
done
exec "$environment/bin/python" -W ignore -c 'import importlib, sys; importlib.import_module(sys.argv[1])' "$module"
`

/** What the environment of a package is made of: its file of requirements, and the runtime when that is nowhere else. */
function wantedOf(folder: string): Wanted {
  const lines = textOf(join(folder, 'requirements.txt'))
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean)
  const file = lines.length > 0 ? ['-r', 'requirements.txt'] : []
  const found = runtimes.find(({ module }) => !existsSync(join(folder, module)) && imports(folder, module))
  if (!found) return { install: file, runtime: null }
  const line = lines.find((text) => nameOf(text) === found.distribution)
  // Only the name and its versions: a mark of another interpreter or a hash is for pip alone.
  const named = line?.split(/;| @ | --/)[0]?.trim()
  const runtime = { ...found, wanted: named || found.distribution }
  return { install: line === undefined ? [...file, found.distribution] : file, runtime }
}

/**
 * Whether a package is written for a runtime that listens on all addresses in http mode, whatever it is told: komand, and the first of its successor.
 * `site` is where libraries of its environment are looked for.
 */
function listensAnywhere(folder: string, environment: string): boolean {
  const found = runtimes.find(({ module }) => imports(folder, module))
  if (!found) return false
  const server = [folder, ...sitesOf(environment)].map((site) => textOf(join(site, found.module, 'server.py'))).find((text) => text !== '')
  return server === undefined ? found.module === 'komand' : !server.includes('GUNICORN_CONFIG_FILE')
}

function sitesOf(environment: string): string[] {
  try {
    const lib = join(environment, 'lib')
    return readdirSync(lib).map((name) => join(lib, name, 'site-packages'))
  } catch {
    return []
  }
}

function nameOf(line: string): string {
  return (/^[A-Za-z0-9._-]+/.exec(line)?.[0] ?? '').toLowerCase().replaceAll(/[-_.]+/g, '-')
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

function textOf(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

export type { PythonRuntime, Wanted }
export { wantedOf, listensAnywhere, exactScript, looseScript, needsScript }
