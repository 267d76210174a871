import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { BadValue } from './kinds.ts'
import { clientVariables, keyList } from './schema.ts'
import type { Key, KeyName, Source, Values } from './schema.ts'

/** A configuration that cannot be used. The message is one line for the operator. */
class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** What the server runs with: the values of all keys, with what follows from others filled in. */
type Config = Omit<Values, 'publicUrl' | 'pluginRoot' | 'gatewayUrl' | 'openRoutes' | 'cpuCapacity' | 'memoryCapacityBytes'> & {
  readonly publicUrl: string
  readonly pluginRoot: string
  readonly gatewayUrl: string
  readonly openRoutes: 'all' | 'granted'
  readonly cpuCapacity: number
  readonly memoryCapacityBytes: number
  readonly sources: Readonly<Record<KeyName, Source>>
}

type LoadOptions = {
  /** Command line after the command: flags only. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Where `capstan.toml` is looked for. */
  readonly folder?: string
}

type Given = { readonly text: string; readonly source: Source; readonly label: string }

/**
 * The configuration: `capstan.toml` of the folder, overruled by the environment, overruled by flags.
 * A key, flag or `CAPSTAN_` variable that nobody knows, or a value that a key cannot have, throws a `ConfigError` that names it.
 */
async function loadConfig(options: LoadOptions = {}): Promise<Config> {
  const folder = options.folder ?? process.cwd()
  const given = new Map<string, Given>([
    ...(await fromFile(folder)),
    ...fromEnvironment(options.environment ?? process.env),
    ...fromFlags(options.flags ?? []),
  ])
  const values: Record<string, unknown> = {}
  const sources: Record<string, Source> = {}
  for (const [name, key] of keyList) {
    const found = given.get(key.path)
    values[name] = found ? read(key, found) : key.default
    sources[name] = found?.source ?? 'default'
  }
  // The table says which type each key reads to; the loop above cannot show that to the compiler.
  return complete(values as Values, sources as Record<KeyName, Source>, folder)
}

function complete(values: Values, sources: Record<KeyName, Source>, folder: string): Config {
  const data = resolve(folder, values.data)
  const incomplete = values.adminName === null && (values.adminPassword !== null || values.adminApiKey !== null || values.adminEmail !== null)
  if (incomplete)
    throw new ConfigError('CAPSTAN_ADMIN_NAME is missing: the other CAPSTAN_ADMIN_ settings are about that administrator. Set it, or none.')
  if (values.adminName !== null && values.adminPassword === null && values.adminApiKey === null) {
    throw new ConfigError('CAPSTAN_ADMIN_PASSWORD is missing: the administrator named by CAPSTAN_ADMIN_NAME could not sign in. Set it, or neither.')
  }
  if (values.port !== 0 && values.port === values.gatewayPort) {
    throw new ConfigError(`CAPSTAN_GATEWAY_PORT is ${values.port}, which CAPSTAN_PORT is already. Give the gateway a port of its own.`)
  }
  return {
    ...values,
    data,
    publicUrl: values.publicUrl ?? urlOf(values.host, values.port),
    pluginRoot: values.pluginRoot === null ? join(data, 'plugins') : resolve(folder, values.pluginRoot),
    gatewayUrl: values.gatewayUrl ?? urlOf(values.host, values.gatewayPort),
    openRoutes: values.openRoutes === 'auto' ? (isLoopbackHost(values.host) ? 'all' : 'granted') : values.openRoutes,
    cpuCapacity: values.cpuCapacity ?? availableParallelism(),
    memoryCapacityBytes: values.memoryCapacityBytes ?? machineMemory(),
    sources,
  }
}

/** The http address of a host and port; a wildcard host is reached by loopback. */
function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`
}

// In a container the machine is larger than what the server and its tasks may use.
function machineMemory(): number {
  const allowed = process.constrainedMemory()
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function read(key: Key, { text, label }: Given): unknown {
  try {
    return key.kind.read(text)
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    const shown = key.secret ? '' : ` "${printable(text)}"`
    throw new ConfigError(`${label} cannot be${shown || ' this value'}: ${error.message}.`)
  }
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Map<string, Given> {
  const byVariable = new Map(keyList.map(([, key]) => [key.environment, key]))
  const given = new Map<string, Given>()
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('CAPSTAN_') || name.startsWith('CAPSTAN_TEST_') || Object.hasOwn(clientVariables, name)) continue
    const key = byVariable.get(name)
    if (!key) throw new ConfigError(`The environment variable ${printable(name)} is not known. "capstan config --help" lists them all.`)
    // Compose files pass variables on as empty texts: that is not a setting.
    if (text) given.set(key.path, { text, source: 'environment', label: name })
  }
  return given
}

function fromFlags(flags: readonly string[]): Map<string, Given> {
  const byFlag = new Map(keyList.flatMap(([, key]) => (key.secret ? [] : [[key.flag, key] as const])))
  const given = new Map<string, Given>()
  const rest = [...flags]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [name = '', inline] = splitOnce(argument, '=')
    const key = byFlag.get(name)
    const negated = name.startsWith('--no-') ? byFlag.get(`--${name.slice(5)}`) : undefined
    if (key?.kind.toml === 'boolean' || negated?.kind.toml === 'boolean') {
      const found = (key ?? negated) as Key // one of the two, by the line above
      if (negated && inline !== undefined) throw new ConfigError(`${printable(name)} takes no value.`)
      given.set(found.path, { text: negated ? 'false' : (inline ?? 'true'), source: 'flag', label: name })
      continue
    }
    if (!key) throw new ConfigError(unknownFlag(name))
    const text = inline ?? rest.shift()
    if (text === undefined) throw new ConfigError(`${name} needs a value: ${key.kind.wanted}.`)
    given.set(key.path, { text, source: 'flag', label: name })
  }
  return given
}

function unknownFlag(name: string): string {
  const secret = keyList.find(([, key]) => key.secret && key.flag === name)?.[1]
  if (secret) return `${name} is no flag, because everybody on the machine can read command lines. Set ${secret.environment} instead.`
  return `The flag ${printable(name)} is not known. "capstan serve --help" lists them all.`
}

async function fromFile(folder: string): Promise<Map<string, Given>> {
  const file = join(folder, 'capstan.toml')
  const source = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new ConfigError(`${file} cannot be read (${error.code}).`)
  })
  if (source === null) return new Map()
  const { parse, TomlError } = await import('smol-toml')
  try {
    return new Map(flatten(parse(source), ''))
  } catch (error) {
    if (error instanceof TomlError) throw new ConfigError(`capstan.toml, line ${error.line}: ${error.message.split('\n')[0]}.`)
    throw error
  }
}

const byPath = new Map(keyList.map(([, key]) => [key.path, key]))
const tables = new Set(keyList.flatMap(([, key]) => (key.path.includes('.') ? [key.path.split('.')[0]] : [])))

function flatten(table: Readonly<Record<string, unknown>>, prefix: string): [string, Given][] {
  return Object.entries(table).flatMap(([name, value]): [string, Given][] => {
    const path = prefix + name
    if (prefix === '' && tables.has(path) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return flatten(value as Record<string, unknown>, `${path}.`) // a TOML table, by the line above
    }
    const key = byPath.get(path)
    if (!key) throw new ConfigError(`capstan.toml: the key "${printable(path)}" is not known. "capstan config --help" lists them all.`)
    return [[path, { text: textOf(key, path, value), source: 'file', label: `capstan.toml: ${path}` }]]
  })
}

function textOf(key: Key, path: string, value: unknown): string {
  const { toml, wanted } = key.kind
  if (toml === 'list' && Array.isArray(value) && value.every((item) => typeof item === 'string' && !item.includes(','))) return value.join(',')
  const fits = typeof value === toml || (toml === 'list' && typeof value === 'string')
  if (!fits) throw new ConfigError(`capstan.toml: ${path} cannot be ${describe(value)}: wanted ${wanted}.`)
  return String(value)
}

function describe(value: unknown): string {
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a table or date' : `a ${typeof value}`
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}

// A message is one line on a terminal, whatever somebody put into a file or variable.
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}').slice(0, 200)
}

export type { Config, LoadOptions }
export { ConfigError, loadConfig, urlOf, isLoopbackHost }
