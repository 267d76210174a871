import type { Credential } from '../../core/identity/credential.ts'

/**
 * What an Authorization header proves, or null when there is none that counts here: `Basic` with a name or e-mail address and a password or API key,
 * `Bearer` with an API key (Kallithea contract §12.2). Cookies are never looked at, so no page of another site can make a browser push.
 */
function credentialOf(header: string | undefined): Credential | null {
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +([^ ]+) *$/.exec(header ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return { form: 'bearer', token: value }
  if (scheme.toLowerCase() !== 'basic' || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return null
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 1 ? null : { form: 'password', login: text.slice(0, colon), password: text.slice(colon + 1) }
}

export { credentialOf }
