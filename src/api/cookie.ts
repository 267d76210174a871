/** The value of a cookie in a `Cookie` header; undefined when it is missing or empty. Of several with one name the first counts. */
function readCookie(header: string | undefined, name: string): string | undefined {
  if (!header) return undefined
  for (const part of header.split(';')) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === name) {
      const value = part.slice(at + 1).trim()
      return unquote(value) || undefined
    }
  }
  return undefined
}

type CookieOptions = {
  /** Seconds that the browser keeps it; 0 deletes it. */
  readonly maxAge: number
  /** Only over TLS. */
  readonly secure: boolean
}

/** A `Set-Cookie` header for something that scripts must not read and other sites' requests must not carry. */
function sessionCookie(name: string, value: string, { maxAge, secure }: CookieOptions): string {
  if (!/^[\w.~+/=-]*$/.test(value)) throw new Error('A cookie value is letters, digits and -._~+/=')
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${Math.max(0, Math.floor(maxAge))}${secure ? '; Secure' : ''}`
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

export type { CookieOptions }
export { readCookie, sessionCookie }
