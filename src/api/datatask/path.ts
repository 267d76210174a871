import type { Route } from './routes.ts'

/** What an address leads to: a route with its parameters as they were sent, or the methods that it takes instead, or nothing. */
type Match = { readonly route: Route; readonly raw: Readonly<Record<string, string>> } | { readonly allowed: readonly string[] } | null

/** The prefix under which the same routes answer from outside (contract §2). */
const prefix = '/apps/deploy-api'

/** Whether an address can only be this API's, so that it refuses what no route of it takes. */
function ownsPath(path: string): boolean {
  const bare = path === prefix || path.startsWith(`${prefix}/`) ? '/v1' : path
  return ['/v1', '/v2/task', '/v2/pipeline'].some((own) => bare === own || bare.startsWith(`${own}/`))
}

/** The path and the query of a request's target. */
function splitTarget(target: string): { path: string; query: string } {
  const at = target.indexOf('?')
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) }
}

/**
 * Finds the route of a path. The path is split on `/` before anything is decoded, so that `%2F` never divides; one slash at the end is tolerated, and an
 * empty segment matches nothing.
 */
function match(routes: readonly Route[], method: string, path: string): Match {
  const segments = (path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path).split('/').slice(1)
  if (segments.length > 1 && segments.at(-1) === '') segments.pop()
  if (segments.includes('')) return null
  const allowed: string[] = []
  for (const route of routes) {
    const raw = parametersOf(route, segments)
    if (!raw) continue
    if (route.method === method) return { route, raw }
    allowed.push(route.method)
  }
  return allowed.length > 0 ? { allowed } : null
}

function parametersOf(route: Route, segments: readonly string[]): Record<string, string> | null {
  const pattern = partsOf(route)
  if (pattern.length !== segments.length) return null
  const raw: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ''
    if (part.startsWith(':')) raw[part.slice(1)] = segment
    else if (part !== segment && part !== decodeOnce(segment)) return null
  }
  return raw
}

const patterns = new WeakMap<Route, readonly string[]>()

function partsOf(route: Route): readonly string[] {
  const known = patterns.get(route)
  if (known) return known
  const parts = route.path.split('/').slice(1)
  patterns.set(route, parts)
  return parts
}

/** A percent-decoded text, or null when the encoding is broken. */
function decodeOnce(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

export type { Match }
export { ownsPath, splitTarget, match, decodeOnce }
