import type { IncomingMessage, ServerResponse } from 'node:http'

type Told = { readonly code: string; readonly message: string }

const told: Readonly<Record<number, Told>> = {
  400: { code: 'bad_request', message: 'This request cannot be read. Correct it and send it again.' },
  401: { code: 'unauthenticated', message: 'Sign in first: send "Authorization: Bearer <token or API key>", or open this address in a browser.' },
  403: { code: 'forbidden', message: 'This service is for the members of a group that you are not in. Ask an administrator.' },
  404: { code: 'not_found', message: 'No service is published at this address.' },
  500: { code: 'internal', message: 'Something went wrong here, not with you. An operator finds the cause in the log.' },
  502: { code: 'bad_gateway', message: 'The service ended the connection before it answered. Try again.' },
  503: { code: 'no_instance', message: 'No instance of this service is ready. Try again in a few seconds.' },
  504: { code: 'timeout', message: 'The service did not answer in its time. Try again, or ask its owner.' },
}

/** The text of a refusal of the gateway itself. */
function refusalText(status: number): string {
  return JSON.stringify({ error: told[status] ?? told[500] })
}

/** Refuses a request, as JSON. */
function refuse(response: ServerResponse, status: number, more: Readonly<Record<string, string>> = {}): void {
  if (response.headersSent) return void response.destroy()
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...more }
  if (status === 401) Object.assign(headers, { 'www-authenticate': 'Bearer realm="capstan"' })
  if (status === 503) Object.assign(headers, { 'retry-after': '3' })
  response.writeHead(status, headers).end(refusalText(status))
}

function redirect(response: ServerResponse, status: 303 | 308, to: string, cookies: readonly string[] = []): void {
  response.writeHead(status, { location: to, 'cache-control': 'no-store', ...(cookies.length > 0 && { 'set-cookie': [...cookies] }) }).end()
}

/** Whether a person with a browser waits for the answer. */
function isNavigation({ method, headers }: IncomingMessage): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    (headers['sec-fetch-mode'] ?? 'navigate') === 'navigate' &&
    (headers.accept ?? '').includes('text/html')
  )
}

export { refusalText, refuse, redirect, isNavigation }
