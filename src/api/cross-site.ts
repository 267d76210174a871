import type { IncomingHttpHeaders } from 'node:http'

type OwnOrigins = { readonly publicUrl: string; readonly allowedOrigins: readonly string[] }

/**
 * Whether a request was made by a page of another site, so that a cookie on it proves nothing about what its user wants: `Sec-Fetch-Site` other than
 * `same-origin` and `none` (`same-site` too: a published service may sit on a sister origin), or a foreign `Origin`, `null` included.
 * A request with neither header is none: scripts send none, browsers send at least one with everything that a form cannot do.
 */
function isCrossSite(headers: IncomingHttpHeaders, { publicUrl, allowedOrigins }: OwnOrigins): boolean {
  const { origin } = headers
  if (origin !== undefined && allowedOrigins.includes(origin)) return false
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  return origin !== undefined && origin !== new URL(publicUrl).origin && !isOriginOf(origin, headers.host)
}

// The same server is reached by several names (localhost, an address, a name): the origin of the request's own host is its own.
function isOriginOf(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)
}

export type { OwnOrigins }
export { isCrossSite }
