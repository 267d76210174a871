import { isFault } from '../core/kernel/fault.ts'
import { anonymous } from '../core/identity/principal.ts'
import { bearerToken } from '../api/bearer.ts'
import { readCookie } from '../api/cookie.ts'
import { ownCookies } from './headers.ts'
import type { IncomingMessage } from 'node:http'
import type { Credential } from '../core/identity/credential.ts'
import type { Principal } from '../core/identity/principal.ts'
import type { Origin } from '../core/operation/context.ts'
import type { GatewayHost } from './host.ts'
import type { Route } from './table.ts'

/** Who makes a request, as its service shall know it. */
type Visitor = { readonly identity: string | null; readonly ownAuthorization: boolean }

/** Why a request does not reach its service. */
type Refusal = 'sign_in' | 'forbidden'

/** The forms in which a visitor can prove who it is. */
type Token = Extract<Credential, { token: string }>

/** What was found out about a credential counts for so long: a disabled account ends here as fast as elsewhere. */
const rememberMs = 1000
const mostRemembered = 10_000

/** Finds out who visitors are and whether a service is open to them. */
class Visitors {
  readonly #host: GatewayHost
  readonly #remembered = new Map<string, { until: number; answer: Promise<string | Refusal> }>()

  constructor(host: GatewayHost) {
    this.#host = host
  }

  /** The visitor as the service of the route shall know it, or why it may not come in. */
  async admit(request: IncomingMessage, route: Route, peer: string): Promise<Visitor | Refusal> {
    const { authorization, cookie } = request.headers
    const bearer = bearerToken(authorization)
    const own = readCookie(cookie, ownCookies.session)
    const platform = readCookie(cookie, 'capstan_session') ?? readCookie(cookie, 'authtoken')
    const credentials: Token[] = []
    if (bearer !== undefined) credentials.push({ form: 'bearer', token: bearer })
    if (own !== undefined) credentials.push({ form: 'gateway', token: own })
    if (platform !== undefined) credentials.push({ form: 'cookie', token: platform })
    let refusal: Refusal = 'sign_in'
    for (const credential of credentials) {
      const answer = await this.#ask(credential, route, peer)
      // A bearer token that is not ours may be the service's own, and is passed on.
      const ownAuthorization = credential.form === 'bearer' ? answer !== 'sign_in' : bearer !== undefined && (await this.#isOurs(bearer, route, peer))
      if (answer !== 'sign_in' && answer !== 'forbidden') return { identity: answer.slice(1), ownAuthorization }
      if (answer === 'forbidden') {
        if (route.bypass_auth) return { identity: null, ownAuthorization }
        refusal = 'forbidden'
        break
      }
    }
    return route.bypass_auth ? { identity: null, ownAuthorization: false } : refusal
  }

  async #isOurs(bearer: string, route: Route, peer: string): Promise<boolean> {
    return (await this.#ask({ form: 'bearer', token: bearer }, route, peer)) !== 'sign_in'
  }

  // An identity begins with a mark, so that no name can look like a refusal.
  #ask(credential: Token, route: Route, peer: string): Promise<string | Refusal> {
    const now = this.#host.clock.now()
    const key = `${route.service} ${peer} ${credential.form} ${credential.token}`
    const known = this.#remembered.get(key)
    if (known && known.until > now) return known.answer
    if (this.#remembered.size >= mostRemembered) this.#remembered.clear()
    const answer = this.#find(credential, route, peer)
    this.#remembered.set(key, { until: now + rememberMs, answer })
    answer.catch(() => this.#remembered.delete(key))
    return answer
  }

  async #find(credential: Credential, route: Route, peer: string): Promise<string | Refusal> {
    const origin: Origin = { via: 'gateway', peer, requestId: this.#host.random(8) }
    let principal: Principal
    try {
      principal = await this.#host.identify(credential, origin)
    } catch (error) {
      if (isFault(error, 'network_refused') || isFault(error, 'account_inactive')) return 'forbidden'
      if (isFault(error)) return 'sign_in'
      throw error
    }
    if (principal.kind === anonymous.kind) return 'sign_in'
    try {
      const { identity } = await this.#host.invoke<{ identity: string }>({ principal, origin }, 'service.admit', { service: route.service })
      return `=${identity}`
    } catch (error) {
      if (isFault(error, 'forbidden') || isFault(error, 'not_found')) return 'forbidden'
      throw error
    }
  }
}

export type { Visitor, Refusal }
export { Visitors }
