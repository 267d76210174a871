import { clientVariables, keyList } from '../config/schema.ts'
import type { Config } from '../config/load.ts'
import type { Key } from '../config/schema.ts'

/** Every key with its three names, for `--help`. */
function configHelp(): string {
  const parts = keyList.map(([, key]) => {
    const names = [key.secret ? null : `${key.flag}${key.kind.toml === 'boolean' ? '' : ' <value>'}`, key.environment, key.path].filter(Boolean)
    return `  ${names.join(' | ')}\n      ${key.description}\n      ${key.kind.wanted}; ${defaultOf(key)}\n`
  })
  const client = Object.entries(clientVariables).map(([name, what]) => `  ${name}\n      ${what}\n`)
  return `Settings (flag | environment | key in capstan.toml; flags win over the environment, and that over the file):\n\n${parts.join('')}\nFor commands:\n\n${client.join('')}`
}

/** What holds when a key is not set. */
function defaultOf(key: Key): string {
  if (key.otherwise) return `default: ${key.otherwise}`
  if (key.default === null) return 'not set by default'
  const value = Array.isArray(key.default) ? key.default.join(',') : String(key.default)
  return value === '' ? 'empty by default' : `default: ${value}`
}

/** The settings in effect and where each comes from; secrets are only said to be set. */
function configRows(config: Config): { key: string; value: unknown; source: string }[] {
  return keyList.map(([name, key]) => {
    const value: unknown = config[name]
    return { key: key.path, value: key.secret && value !== null ? '***' : value, source: config.sources[name] }
  })
}

export { configHelp, defaultOf, configRows }
