import { isFault } from '../core/kernel/fault.ts'
import { anonymous } from '../core/identity/principal.ts'
import { readCookie } from '../api/cookie.ts'
import { redirect, refuse } from './answer.ts'
import { ownCookies } from './headers.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { GatewayHost } from './host.ts'

/** Where the platform sends a browser back to with its code. */
const signedInPath = '/.capstan/signed-in'

/**
 * Sends a browser to the platform's sign-in. What it brings back counts only in the same browser: by the cookie that it gets here, or somebody could sign
 * another person in as himself.
 */
function sendToSignIn(host: GatewayHost, request: IncomingMessage, response: ServerResponse): void {
  const state = host.random(16)
  const query = new URLSearchParams({ state, to: request.url ?? '/' })
  redirect(response, 303, `${host.publicUrl}/login?${query}`, [cookie(host, ownCookies.state, state, 600, signedInPath)])
}

/** Takes the session over that a code stands for, and sends the browser on to where it wanted to go. */
async function takeOver(host: GatewayHost, request: IncomingMessage, response: ServerResponse, peer: string): Promise<void> {
  const query = new URL(request.url ?? '/', host.gatewayUrl).searchParams
  const state = readCookie(request.headers.cookie, ownCookies.state)
  const code = query.get('code') ?? ''
  const to = localPath(query.get('to'))
  if (request.method !== 'GET' || state === undefined || code === '' || !/^[0-9a-f]{32}$/.test(state)) return refuse(response, 400)
  try {
    const call = { principal: anonymous, origin: { via: 'gateway', peer, requestId: host.random(8) } }
    const taken = await host.invoke<{ token: string; expires_at: string }>(call, 'session.take-over', { code, state })
    const seconds = (Date.parse(taken.expires_at) - host.clock.now()) / 1000
    redirect(response, 303, to, [cookie(host, ownCookies.session, taken.token, seconds, '/'), cookie(host, ownCookies.state, '', 0, signedInPath)])
  } catch (error) {
    if (!isFault(error)) throw error
    refuse(response, error.status === 401 ? 400 : error.status)
  }
}

// Only an address of the gateway itself: two slashes, or one and a backslash, would lead elsewhere.
function localPath(text: string | null): string {
  return text !== null && /^\/(?![/\\])[\x21-\x7e]*$/.test(text) ? text : '/'
}

function cookie({ gatewayUrl }: GatewayHost, name: string, value: string, seconds: number, path: string): string {
  const secure = gatewayUrl.startsWith('https:') ? '; Secure' : ''
  return `${name}=${value}; Path=${path}; HttpOnly; SameSite=Lax; Max-Age=${Math.max(0, Math.floor(seconds))}${secure}`
}

export { signedInPath, sendToSignIn, takeOver }
