import { openConnection } from '../../connection/open.ts'
import { objectMember, textMember } from '../../document/members.ts'
import { ActionFailed } from '../builtin.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { BuiltinContext } from '../builtin.ts'

/** What a connection adds to requests. */
type HttpAccess = {
  readonly base: URL
  /** Headers with the credentials, by names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** PEM of who signs the server's certificate. */
  readonly trusted?: string
}

/** The connection that the step names, opened as whoever started the job; null where it names none. */
async function accessOf({ services, starter, connection }: BuiltinContext): Promise<HttpAccess | null> {
  if (connection === null) return null
  const opened = await openConnection(services, starter, connection, { vendor: 'capstan', name: 'http' })
  if ('problem' in opened) throw new ActionFailed(opened.problem)
  return accessFrom(opened.parameters)
}

/** The same from the parameters of a connection. Errors: `ActionFailed` for those that cannot be sent. */
function accessFrom(parameters: JsonObject): HttpAccess {
  const base = URL.parse(textMember(parameters, 'base_url'))
  if (base?.protocol !== 'http:' && base?.protocol !== 'https:') throw new ActionFailed('The base URL of the connection is no http or https address')
  if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '')
    throw new ActionFailed('The base URL of the connection has a user, a query or a fragment, which it must not have')
  const pair = objectMember(parameters, 'credentials')
  const token = textMember(objectMember(parameters, 'token'), 'token')
  const key = textMember(objectMember(parameters, 'key'), 'secretKey')
  const basic = Object.keys(pair).length > 0
  if (basic && token !== '') throw new ActionFailed('The connection has both a password and a token, and one of them can be sent')
  const name = (textMember(parameters, 'key_header') || 'X-Api-Key').toLowerCase()
  const written = Buffer.from(`${textMember(pair, 'username')}:${textMember(pair, 'password')}`).toString('base64')
  const headers = Object.fromEntries([
    ...(basic ? [['authorization', `Basic ${written}`]] : []),
    ...(token === '' ? [] : [['authorization', `Bearer ${token}`]]),
    ...(key === '' ? [] : [[name, key]]),
  ]) as Record<string, string> // pairs of texts
  const trusted = textMember(parameters, 'certificate_authority')
  return { base, headers, ...(trusted === '' ? {} : { trusted }) }
}

/** Whether an address is the base of the connection, or below it. */
function isBelow({ base }: HttpAccess, url: URL): boolean {
  const folder = base.pathname.replace(/\/*$/, '/')
  return url.origin === base.origin && (url.pathname.startsWith(folder) || `${url.pathname}/` === folder)
}

/** The address that a step means: a whole one, or with a connection what comes after its base. Errors: `ActionFailed`. */
function addressOf(text: string, access: HttpAccess | null): URL {
  const whole = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)
  const url = whole || !access ? URL.parse(text) : URL.parse(`${access.base.href.replace(/\/*$/, '')}/${text.replace(/^[/\\]+/, '')}`)
  if (!url) throw new ActionFailed('The URL cannot be read; write for example https://example.com/path')
  if (access && !isBelow(access, url)) throw new ActionFailed(`The connection is for ${access.base.href} and what is below it only`)
  return url
}

export type { HttpAccess }
export { accessOf, accessFrom, addressOf, isBelow }
