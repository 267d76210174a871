import { problemsFault } from '../kernel/fault.ts'

/** Where another repository is, taken apart. `url` has no credentials; `whole` has them and is for sealing only. */
type RemoteAddress = {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly url: string
  readonly credentials: { readonly user: string; readonly password: string } | null
  readonly whole: string
  /** As it is shown: what could be a secret is `*****`. */
  readonly masked: string
}

const mask = '*****'
const ports = { http: 80, https: 443 } as const

/**
 * An address of a remote repository, by the rules of the Kallithea contract §12.5 and §15 D12: http and https only, nothing that a program could take for
 * an option, another protocol or a second line. Errors: `invalid_input`, whose words never repeat the address.
 */
function parseRemote(text: string, operation: string): RemoteAddress {
  const refuse = (message: string) => problemsFault('invalid_input', operation, [{ path: '/clone_uri', code: 'remote', message }])
  if (/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\\"<>^`{|}]/u.test(text)) throw refuse('must not have blanks, control characters or quotes')
  const url = URL.parse(text)
  const scheme = url?.protocol.slice(0, -1)
  // What a remote of another protocol would run or read is not ours to find out.
  if (!url || (scheme !== 'http' && scheme !== 'https') || !/^https?:\/\/[^/]/i.test(text)) throw refuse('must begin with http:// or https://')
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) throw refuse('must not have a ? or #')
  if (url.hostname === '' || url.hostname.startsWith('-')) throw refuse('must name a host')
  const user = plain(url.username)
  const password = plain(url.password)
  if (user === null || password === null || /\p{Cc}|:/u.test(user) || /\p{Cc}/u.test(password))
    throw refuse('has a name or password that cannot be read')
  // The mask alone is no password: whoever sends back what was shown, changed, must say the password again.
  if (password === mask || user === mask) throw refuse('has the mask instead of the password; write the password')
  const bare = `${scheme}://${url.host}${url.pathname}`
  return {
    scheme,
    host: url.hostname,
    port: Number(url.port || ports[scheme]),
    url: bare,
    credentials: user === '' && password === '' ? null : { user, password },
    whole: url.href,
    masked: bare.replace('://', `://${shown(url)}`),
  }
}

// A name without a password is usually a token.
function shown({ username, password }: URL): string {
  if (username === '' && password === '') return ''
  return password === '' ? `${mask}@` : `${username}:${mask}@`
}

function plain(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

export type { RemoteAddress }
export { parseRemote }
