import type { FastifyInstance } from 'fastify'

/** The routes of all APIs, as patterns: which methods a path takes, and which first segments are in use. */
type RoutesSeen = {
  /** The methods that a path answers; empty when nothing is there. */
  methodsOf(path: string): readonly string[]
  /** First segments of all routes that start with fixed text. */
  segments(): ReadonlySet<string>
}

type Pattern = { readonly expression: RegExp; readonly methods: Set<string> }

/** Watches routes being added. Call it before the first one is. */
function watchRoutes(http: FastifyInstance): RoutesSeen {
  const fixed = new Map<string, Set<string>>()
  const patterns = new Map<string, Pattern>()
  const segments = new Set<string>()
  http.addHook('onRoute', ({ url, method }) => {
    const first = url.split('/')[1] ?? ''
    if (/^[^:*(]+$/.test(first)) segments.add(first)
    // A route for everything (`/*`) says nothing about a path: its handler refuses by itself.
    if (url.endsWith('*')) return
    const methods = [method].flat()
    if (!/[:(]/.test(url)) add(fixed, url, methods)
    else {
      const known = patterns.get(url) ?? { expression: expressionOf(url), methods: new Set<string>() }
      patterns.set(url, known)
      for (const one of methods) known.methods.add(one)
    }
  })
  return {
    methodsOf(path) {
      const found = new Set(fixed.get(path))
      for (const { expression, methods } of patterns.values()) if (expression.test(path)) for (const method of methods) found.add(method)
      return [...found].sort()
    },
    segments: () => segments,
  }
}

function add(map: Map<string, Set<string>>, key: string, values: readonly string[]): void {
  const set = map.get(key) ?? new Set<string>()
  for (const value of values) set.add(value)
  map.set(key, set)
}

// `/runs/:id/log` and `/v2/:repository.git`: a parameter is anything but a slash. Constraints in brackets only narrow it.
function expressionOf(url: string): RegExp {
  const source = url
    .split(/:\w+(?:\([^)]*\))?\??/)
    .map((literal) => literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]+')
  return new RegExp(`^${source}$`)
}

export type { RoutesSeen }
export { watchRoutes }
