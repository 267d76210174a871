import { isIP } from 'node:net'

/** How the text of one key is read. `read` gives the value, or throws a `BadValue` that says what is wanted instead. */
type Kind<T> = {
  /** What to write, for the documents: `number from 0 to 65535`. */
  readonly wanted: string
  readonly read: (text: string) => T
  /** What a TOML file may hold instead of a text. */
  readonly toml: 'string' | 'number' | 'boolean' | 'list'
}

/** A value that a key cannot have. The message goes on from `CAPSTAN_PORT: `. */
class BadValue extends Error {
  override readonly name = 'BadValue'
}

function text(wanted = 'text'): Kind<string> {
  return {
    wanted,
    toml: 'string',
    read(value) {
      if (/[\u0000-\u001f\u007f]/.test(value)) throw new BadValue(`wanted ${wanted} without control characters`)
      return value
    },
  }
}

/** A text of one form. */
function matching(pattern: RegExp, wanted: string): Kind<string> {
  return {
    wanted,
    toml: 'string',
    read(value) {
      if (!pattern.test(value)) throw new BadValue(`wanted ${wanted}`)
      return value
    },
  }
}

function whole(least: number, most: number): Kind<number> {
  const wanted = `a whole number from ${least} to ${most}`
  return {
    wanted,
    toml: 'number',
    read(value) {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
      if (!(number >= least && number <= most)) throw new BadValue(`wanted ${wanted}`)
      return number
    },
  }
}

const truths: Readonly<Record<string, boolean>> = { true: true, '1': true, yes: true, on: true, false: false, '0': false, no: false, off: false }

const flag: Kind<boolean> = {
  wanted: 'true or false',
  toml: 'boolean',
  read(value) {
    const lower = value.toLowerCase()
    const truth = Object.hasOwn(truths, lower) ? truths[lower] : undefined
    if (truth === undefined) throw new BadValue('wanted true or false')
    return truth
  },
}

function oneOf<const W extends readonly string[]>(words: W): Kind<W[number]> {
  const wanted = `one of ${words.join(', ')}`
  return {
    wanted,
    toml: 'string',
    read(value) {
      const word = words.find((candidate) => candidate === value)
      if (word === undefined) throw new BadValue(`wanted ${wanted}`)
      return word
    },
  }
}

/** A mail server, with user and password where it wants them. */
const smtpUrl: Kind<string> = {
  wanted: 'smtp://user:password@host:port, or smtps:// for TLS from the start',
  toml: 'string',
  read(value) {
    const url = URL.canParse(value) ? new URL(value) : null
    if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '' || url.search || url.hash || !/^\/?$/.test(url.pathname)) {
      throw new BadValue('wanted smtp://user:password@host:port or smtps://user:password@host:port')
    }
    return value
  },
}

/** An http(s) address without user, query and fragment; given back without a slash at the end. */
const webAddress: Kind<string> = {
  wanted: 'an http:// or https:// address',
  toml: 'string',
  read(value) {
    const url = URL.canParse(value) ? new URL(value) : null
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
      throw new BadValue('wanted an http:// or https:// address without user, query and fragment')
    }
    return url.href.replace(/\/+$/, '')
  },
}

/** An http(s) origin: scheme, host and port. */
const origin: Kind<string> = {
  wanted: 'an origin such as https://tools.example',
  toml: 'string',
  read(value) {
    const address = webAddress.read(value)
    if (new URL(address).origin !== address) throw new BadValue('wanted an origin such as https://tools.example, without a path')
    return address
  },
}

/** One range of addresses in CIDR form, or one address. */
const network: Kind<string> = {
  wanted: 'a network such as 10.0.0.0/8',
  toml: 'string',
  read(value) {
    const [address = '', prefix, ...rest] = value.split('/')
    const family = isIP(address)
    const longest = family === 4 ? 32 : 128
    const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest)
    if (family === 0 || rest.length > 0 || !fits || address.includes('%')) throw new BadValue('wanted networks such as 10.0.0.0/8, ::1/128')
    return `${address}/${prefix ?? longest}`
  },
}

function listOf(item: Kind<string>, wanted: string): Kind<readonly string[]> {
  return {
    wanted,
    toml: 'list',
    read: (value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map(item.read),
  }
}

const networks = listOf(network, 'a comma-separated list of networks such as 10.0.0.0/8')
const origins = listOf(origin, 'a comma-separated list of origins such as https://tools.example')

/** The URL of a PostgreSQL database. */
const databaseUrl: Kind<string> = {
  wanted: 'postgresql://user:password@host/database',
  toml: 'string',
  read(value) {
    const url = URL.canParse(value) ? new URL(value) : null
    // The value holds a password: it is never repeated in a message.
    if (!url || !/^postgres(ql)?:$/.test(url.protocol)) throw new BadValue('wanted postgresql://user:password@host/database')
    return value
  },
}

/** Where a Docker engine listens. */
const dockerHost = matching(
  /^(?:(?:unix:\/\/)?\/[^\u0000-\u001f\u007f]{1,100}|tcp:\/\/(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]):\d{1,5})$/,
  'the path of a socket ("/var/run/docker.sock") or tcp://host:port',
)

export type { Kind }
export { BadValue, dockerHost, smtpUrl, text, matching, whole, flag, oneOf, webAddress, networks, origins, databaseUrl }
