import { objectMember, textMember } from '../../document/members.ts'
import { textOf } from '../../language/path.ts'
import { readBase64 } from '../base64/read.ts'
import { ActionFailed } from '../builtin.ts'
import { listInput } from '../input.ts'
import { addressOf, isBelow } from './access.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { HttpAccess } from './access.ts'

/** A request as it goes out. */
type Asked = {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | null
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/
const mostHeaders = 100

/** The request that an input means. Errors: `ActionFailed`. */
function askedFor(input: JsonObject, access: HttpAccess | null): Asked {
  const url = addressOf(textMember(input, 'url'), access)
  for (const [name, value] of fieldsOf(objectMember(input, 'query'))) url.searchParams.append(name, value)
  const headers = headersOf(objectMember(input, 'headers'))
  if ((url.username !== '' || url.password !== '') && !Object.hasOwn(headers, 'authorization')) {
    headers.authorization = `Basic ${Buffer.from(`${unescaped(url.username)}:${unescaped(url.password)}`).toString('base64')}`
  }
  url.username = ''
  url.password = ''
  const { body, type } = bodyOf(input)
  if (type !== '' && !Object.hasOwn(headers, 'content-type')) headers['content-type'] = type
  return { method: textMember(input, 'method'), url: url.href, headers: { ...headers, ...access?.headers }, body }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ActionFailed('The user or password in the URL has a "%" that is not followed by two hex digits; write it as %25')
  }
}

/** The first of the bodies that was given, and what kind of content it is; '' for one that says nothing of itself. */
function bodyOf(input: JsonObject): { body: Asked['body']; type: string } {
  const text = textMember(input, 'body')
  if (text !== '') return { body: text, type: '' }
  const object = objectMember(input, 'body_object')
  const list = listInput(input, 'body_array')
  if (Object.keys(object).length > 0 || list.length > 0) return { body: JSON.stringify(list.length > 0 ? list : object), type: 'application/json' }
  const bytes = textMember(input, 'body_base64')
  if (bytes !== '') return { body: readBase64(bytes), type: 'application/octet-stream' }
  const form = fieldsOf(objectMember(input, 'form'))
  return form.length === 0 ? { body: null, type: '' } : { body: new URLSearchParams(form).toString(), type: 'application/x-www-form-urlencoded' }
}

/** Names and values as they stand in a query or a form; of a list each element by itself. */
function fieldsOf(fields: JsonObject): [string, string][] {
  const listed = (value: Json) => (Array.isArray(value) ? value : value === null ? [] : [value])
  return Object.entries(fields).flatMap(([name, value]) => listed(value).map((one): [string, string] => [name, textOf(one)]))
}

function headersOf(given: JsonObject): Record<string, string> {
  const entries = Object.entries(given)
  if (entries.length > mostHeaders) throw new ActionFailed(`There are more than ${mostHeaders} headers`)
  for (const [name, value] of entries) {
    if (!headerName.test(name)) throw new ActionFailed(`"${name.slice(0, 60)}" is no name of a header`)
    // Line ends in a value would be headers of their own; other characters cannot be sent at all.
    if (!/^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(textOf(value)))
      throw new ActionFailed(`The header "${name}" has characters that headers cannot have`)
  }
  return Object.fromEntries([['accept-encoding', 'identity'], ...entries.map(([name, value]) => [name.toLowerCase(), textOf(value)])])
}

// Services have names of their own for theirs: X-Api-Key, Private-Token.
const credentials = /auth|cookie|credential|key|password|secret|session|signature|token/

/** The request that a redirect asks for. Another origin gets no credentials, and none of a connection goes beyond its base. */
function redirected(asked: Asked, { status, location }: { status: number; location: string }, access: HttpAccess | null): Asked {
  const url = URL.parse(location, asked.url)
  if (!url) throw new ActionFailed('The answer leads to an address that cannot be read')
  const elsewhere = url.origin !== new URL(asked.url).origin
  const beyond = access !== null && !isBelow(access, url)
  const becomesGet = status === 303 ? asked.method !== 'HEAD' : (status === 301 || status === 302) && asked.method === 'POST'
  const kept = Object.entries(asked.headers).filter(
    ([name]) =>
      !(elsewhere && credentials.test(name)) && !(beyond && Object.hasOwn(access.headers, name)) && !(becomesGet && name === 'content-type'),
  )
  url.username = ''
  url.password = ''
  return {
    method: becomesGet ? 'GET' : asked.method,
    url: url.href,
    headers: Object.fromEntries(kept),
    body: becomesGet ? null : asked.body,
  }
}

export type { Asked }
export { askedFor, redirected }
