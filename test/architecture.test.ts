import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

type Source = { readonly name: string; readonly text: string; readonly code: string; readonly imports: readonly Import[] }
type Import = { readonly target: string; readonly typeOnly: boolean; readonly names: string }

const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => read(relative(root, join(entry.parentPath, entry.name))))
  .filter((source) => !/\.(test|suite)\.ts$|\/testing\//.test(source.name))

function read(name: string): Source {
  const text = readFileSync(join(root, name), 'utf8')
  // Comments say what must not be done in the words for it: only code counts.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;,{}()])\/\/.*$/gm, '$1')
  const imports = [...code.matchAll(/^\s*(?:import|export)\s+(type\s+)?([^'";]*?)\s*from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)].map((match) => {
    const specifier = match[3] ?? match[4] ?? ''
    const target = specifier.startsWith('.') ? normalize(join(dirname(name), specifier)) : specifier
    const named = match[2] ?? '*'
    const typeOnly =
      match[1] !== undefined ||
      (/^\{[^}]*\}$/.test(named) && [...named.slice(1, -1).split(',')].every((part) => !part.trim() || /^\s*type\s/.test(part)))
    return { target, typeOnly, names: named }
  })
  return { name, text, code, imports }
}

function broken(folder: string, allowed: (source: Source, used: Import) => boolean): string[] {
  return sources
    .filter((source) => source.name.startsWith(folder))
    .flatMap((source) => source.imports.filter((used) => !allowed(source, used)).map((used) => `${source.name} → ${used.target}`))
}

function lines(pattern: RegExp, where: (source: Source) => boolean = () => true): string[] {
  return sources.filter(where).flatMap((source) => [...source.code.matchAll(pattern)].map((match) => `${source.name}: ${match[0].trim()}`))
}

const outside =
  /^(node:)?(http|https|http2|net|tls|dgram|dns|child_process|cluster|sqlite|fs|fs\/promises|worker_threads|os)$|^(fastify|pg|dockerode)$|^@(fastify|kubernetes)\//

test('core imports core and ports only, and nothing that reaches outside', () => {
  expect(broken('src/core/', (_, { target }) => (target.startsWith('src/') ? /^src\/(core|ports)\//.test(target) : !outside.test(target)))).toEqual(
    [],
  )
})

test('core has no clock, chance or timer but what its context hands in', () => {
  const own = lines(/\bDate\.now\s*\(|\bnew\s+Date\s*\(\s*\)|(?<![\w.$])set(Timeout|Interval)\s*\(|\bMath\.random\s*\(/g, ({ name }) =>
    /^src\/core\/(?!kernel\/)/.test(name),
  )
  expect(own).toEqual([])
})

test('ports know core types and the kernel, and no adapter', () => {
  expect(
    broken(
      'src/ports/',
      (_, { target, typeOnly }) =>
        !target.startsWith('src/') || /^src\/(ports|core\/kernel)\//.test(target) || (typeOnly && target.startsWith('src/core/')),
    ),
  ).toEqual([])
})

test("adapters import ports, their own kind and core's types; of core's values the kernel's and the table of states", () => {
  const allowed = (_: Source, { target, typeOnly }: Import) =>
    !target.startsWith('src/') ||
    /^src\/(ports|adapters|core\/kernel)\//.test(target) ||
    (target.startsWith('src/core/') && (typeOnly || valuesForAdapters.has(target)))
  expect(broken('src/adapters/', allowed)).toEqual([])
})

// Plain tables and pure functions that the store's statements are made of. This list may only shrink.
const valuesForAdapters = new Set<string>([])

test('APIs and the command line reach operations only: no store, no adapter, no other API', () => {
  const listed = read('src/api/index.ts').imports.map(({ target }) => target.split('/')[2])
  const apiOf = (name: string) => (name.startsWith('src/api/') && name.split('/').length > 3 ? name.split('/')[2] : null)
  const allowed = (source: Source, { target }: Import) => {
    if (target.startsWith('src/adapters/') || target.startsWith('src/ports/store')) return false
    const [from, to] = [apiOf(source.name), apiOf(target)]
    return !(from && to && from !== to && listed.includes(from) && listed.includes(to))
  }
  expect([...broken('src/api/', allowed), ...broken('src/cli/', allowed)]).toEqual([])
})

test('the gateway reaches what its host gives it: of core it knows types and pure parts, of APIs none', () => {
  const pure = /^src\/(gateway\/|core\/kernel\/|core\/identity\/principal\.ts|api\/[\w-]+\.ts)/
  const allowed = (_: Source, { target, typeOnly }: Import) =>
    !target.startsWith('src/') || pure.test(target) || (typeOnly && target.startsWith('src/core/'))
  expect(broken('src/gateway/', allowed)).toEqual([])
})

test('only src/app.ts imports adapters', () => {
  expect(
    broken('src/', ({ name }, { target }) => !target.startsWith('src/adapters/') || name === 'src/app.ts' || name.startsWith('src/adapters/')),
  ).toEqual([])
})

test('the environment is read in src/config only', () => {
  expect(lines(/\bprocess\s*\??\.\s*env\b/g, ({ name }) => !name.startsWith('src/config/'))).toEqual([])
})

test('no shell, no command lines as text, no code made from text', () => {
  expect(lines(/\bshell\s*:\s*(?!false\b)\w+|(?<![\w.$])exec(Sync)?\s*\(|(?<![\w.$])eval\s*\(|\bnew\s+Function\b/g)).toEqual([])
  expect(
    broken('src/', (_, { target, names }) => !(/child_process$/.test(target) && /\bexec(Sync)?\b/.test(names)) && !/^(node:)?vm$/.test(target)),
  ).toEqual([])
})

test('no any, no default exports, no barrels', () => {
  expect(lines(/[:<,|&(]\s*any\b(?!\s*[:(])|\bas\s+any\b|^export\s+default\b|^export\s+\*\s+from\b/gm)).toEqual([])
})

test('no file is longer than 500 lines', () => {
  expect(sources.filter((source) => source.text.split('\n').length > 500).map((source) => source.name)).toEqual([])
})

// Tools that read declarations with regular expressions try every way to cut `async function` and a long name into words: 2^letters of them. Files with such
// names list what they export at their end, where a reader finds the whole interface at once.
test('long names are exported by the list at the end of their file', () => {
  const long = sources.flatMap((source) =>
    [...source.code.matchAll(/^export\s+((?:[\w$]+\s*)+)/gm)]
      .filter((match) => (match[1] ?? '').split(/\s+/).reduce((letters, word) => letters + Math.max(word.length - 1, 0), 0) > 18)
      .map((match) => `${source.name}: ${match[0].trim()}`),
  )
  expect(long).toEqual([])
})
