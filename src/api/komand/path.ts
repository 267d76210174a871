import type { Route } from './route.ts'

/** What an address leads to: a route with its parameters decoded, or the methods that it takes instead, or nothing. */
type Match = { readonly route: Route; readonly parameters: Parameters } | { readonly allowed: readonly string[] } | null
type Parameters = Readonly<Record<string, string>>

/** The first segments below `/v2/` that belong to this API (contract §2); others belong to another API of the same listener. */
const segments = [
  'sessions',
  'jobs',
  'workflows',
  'trigger',
  'triggers',
  'connections',
  'users',
  'roles',
  'plugins',
  'artifacts',
  'dispatcher',
] as const

/** Whether an address that nothing answers is refused in this API's form: everything below `/v2` that is not the Deploy API's. */
function ownsPath(path: string): boolean {
  const [, first, second] = path.split('/')
  return (first === 'v2' && second !== 'task' && second !== 'pipeline') || (first === 'jobs' && second === 'details')
}

/** The path and the query of a request's target. */
function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const at = target.indexOf('?')
  return { path: at < 0 ? target : target.slice(0, at), query: new URLSearchParams(at < 0 ? '' : target.slice(at + 1)) }
}

/** Finds the route of a path. It is split on `/` before anything is decoded; one slash at the end is tolerated, an empty segment matches nothing. */
function match(routes: readonly Route[], method: string, path: string): Match {
  const parts = path.split('/').slice(1)
  if (parts.length > 1 && parts.at(-1) === '') parts.pop()
  const decoded = parts.map(decodeOnce)
  const allowed: string[] = []
  for (const route of routes) {
    const parameters = parametersOf(route, decoded)
    if (!parameters) continue
    if (route.method === method) return { route, parameters }
    allowed.push(route.method)
  }
  return allowed.length > 0 ? { allowed } : null
}

function parametersOf(route: Route, parts: readonly (string | null)[]): Parameters | null {
  const pattern = patternOf(route)
  if (pattern.length !== parts.length) return null
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const given = parts[index]
    if (given === null || given === undefined || given === '') return null
    if (part.startsWith(':')) parameters[part.slice(1)] = given
    else if (part !== given) return null
  }
  return parameters
}

const patterns = new WeakMap<Route, readonly string[]>()

function patternOf(route: Route): readonly string[] {
  const known = patterns.get(route) ?? route.path.split('/').slice(1)
  patterns.set(route, known)
  return known
}

function decodeOnce(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

export type { Match, Parameters }
export { segments, ownsPath, splitTarget, match }
