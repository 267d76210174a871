import type { PublishedRoute } from '../core/deploy/routes.ts'
import type { GatewayHost } from './host.ts'

type Target = PublishedRoute['targets'][number] & {
  /** What a sticky cookie says for it. */
  readonly mark: string
}

type Route = Omit<PublishedRoute, 'targets'> & { readonly targets: readonly Target[]; turn: number }

/** The published services by prefix. */
class RouteTable {
  readonly #routes: readonly Route[]

  constructor(host: GatewayHost, published: readonly PublishedRoute[]) {
    // The longest first: the first that fits is the one.
    this.#routes = [...published]
      .sort((a, b) => b.prefix.length - a.prefix.length)
      .map((route) => ({
        ...route,
        turn: 0,
        targets: route.targets.map((target) => ({ ...target, mark: host.mark(`${route.service} ${target.run}`) })),
      }))
  }

  /** The service whose prefix a path begins with. */
  find(path: string): Route | null {
    return this.#routes.find((route) => path.startsWith(route.prefix)) ?? null
  }

  /** Whether a path lacks only the slash at its end to be a prefix. */
  lacksSlash(path: string): boolean {
    return this.#routes.some((route) => `${path}/` === route.prefix)
  }
}

/** The instances of a service in the order in which they should be tried: first the one that a visitor keeps, else each in turn. */
function inTurn(route: Route, kept: string | undefined): Target[] {
  const { targets } = route
  const sticky = route.sticky_sessions && kept !== undefined ? targets.findIndex(({ mark }) => mark === kept) : -1
  const first = sticky >= 0 ? sticky : route.turn++ % Math.max(targets.length, 1)
  return [...targets.slice(first), ...targets.slice(0, first)]
}

/** Takes the first instance that still takes something new off the list, and counts what will flow to it; null when none does. */
function takeTarget({ traffic }: GatewayHost, targets: Target[]): { target: Target; leave: () => void } | null {
  for (let target = targets.shift(); target; target = targets.shift()) {
    const leave = traffic.enter(target.run)
    if (leave) return { target, leave }
  }
  return null
}

/** The path and query for the service: the prefix replaced as the service asked. */
function rewritten(route: Route, url: string): string {
  if (route.rewrite === '') return url
  const rest = url.slice(route.prefix.length)
  const base = route.rewrite.endsWith('/') || rest === '' || rest.startsWith('?') ? route.rewrite : `${route.rewrite}/`
  return base + rest
}

export type { Route, Target }
export { RouteTable, inTurn, takeTarget, rewritten }
